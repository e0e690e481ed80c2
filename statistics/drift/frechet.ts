/**
 * Fréchet's distance of two samples of vectors, each taken for a normal distribution (Dowson and Landau 1982):
 *
 *   d² = ‖μ₁ − μ₂‖² + tr(C₁) + tr(C₂) − 2 tr((C₁C₂)^½)
 *
 * tr((C₁C₂)^½) is the sum of the singular values of X₁X₂ᵀ / √(n₁n₂), X the centred samples, so that no matrix of the
 * vectors' length is ever made.
 */
import { checkCount, checkParallel, checkValues } from '../check.ts'

/** d of two samples of at least two vectors, all equally long; covariances are divided by n. */
export function frechetDistance(x: readonly ArrayLike<number>[], y: readonly ArrayLike<number>[]): number {
  checkCount('the number of vectors of x', x.length, 2)
  checkCount('the number of vectors of y', y.length, 2)
  for (const [name, vectors] of [
    ['x', x],
    ['y', y],
  ] as const)
    vectors.forEach((vector, i) => {
      checkValues(`${name}[${i}]`, vector)
      checkParallel('x[0]', x[0]!, `${name}[${i}]`, vector)
    })
  const [a, b] = [centred(x), centred(y)]
  let squares = a.trace + b.trace
  for (let i = 0; i < a.mean.length; i++) squares += (a.mean[i]! - b.mean[i]!) ** 2
  const product = a.rows.map(row => b.rows.map(other => dot(row, other) / Math.sqrt(x.length * y.length)))
  return Math.sqrt(Math.max(0, squares - 2 * singularValues(product).reduce((sum, value) => sum + value, 0)))
}

function centred(vectors: readonly ArrayLike<number>[]) {
  const width = vectors[0]!.length
  const mean = new Float64Array(width)
  for (const vector of vectors) for (let i = 0; i < width; i++) mean[i]! += vector[i]! / vectors.length
  const rows = vectors.map(vector => Float64Array.from(mean, (value, i) => vector[i]! - value))
  return { mean, rows, trace: rows.reduce((sum, row) => sum + dot(row, row), 0) / vectors.length }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Singular values by one-sided Jacobi rotations (Hestenes 1958): rows are turned until they are orthogonal. */
function singularValues(matrix: readonly (readonly number[])[]): number[] {
  const tall = matrix.length >= matrix[0]!.length
  const rows = tall
    ? matrix[0]!.map((_, j) => Float64Array.from(matrix, row => row[j]!))
    : matrix.map(row => Float64Array.from(row))
  // Rows that are nothing but rounding are never orthogonal, and do not matter.
  const nothing = 1e-18 * rows.reduce((sum, row) => sum + dot(row, row), 0)
  for (let sweep = 0; sweep < 60; sweep++) {
    let turned = false
    for (let i = 0; i < rows.length; i++)
      for (let j = i + 1; j < rows.length; j++) {
        const [a, b] = [rows[i]!, rows[j]!]
        const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)]
        if (Math.abs(ab) <= Math.max(nothing, 1e-14 * Math.sqrt(aa * bb))) continue
        turned = true
        const tau = (bb - aa) / (2 * ab)
        const t = Math.sign(tau || 1) / (Math.abs(tau) + Math.hypot(1, tau))
        const cosine = 1 / Math.hypot(1, t)
        const sine = t * cosine
        for (let k = 0; k < a.length; k++) {
          const [p, q] = [a[k]!, b[k]!]
          a[k] = cosine * p - sine * q
          b[k] = sine * p + cosine * q
        }
      }
    if (!turned) break
  }
  return rows.map(row => Math.sqrt(dot(row, row)))
}
