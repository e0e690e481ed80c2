/** Student's t, central and noncentral: the exact tests and sample sizes for means of few documents. */
import { normalCdf, normalQuantile } from './normal.ts'

/** ln Γ(x) for x > 0: Stirling's series after shifting x above 12. */
export function logGamma(x: number): number {
  let shift = 0
  let z = x
  while (z < 12) shift += Math.log(z++)
  const r = 1 / (z * z)
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / z
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift
}

/** The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz and Stegun 26.5.8). */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a)
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a
  let fraction = 1
  for (let i = 400; i >= 1; i--) {
    const m = i >> 1
    const numerator =
      i % 2 === 0 ? (m * (b - m) * x) / ((a + i - 1) * (a + i)) : (-(a + m) * (a + b + m) * x) / ((a + i - 1) * (a + i))
    fraction = 1 + numerator / fraction
  }
  return front / fraction
}

/** P(T ≤ t) with df degrees of freedom. */
export function studentCdf(t: number, df: number): number {
  const tail = incompleteBeta(df / (df + t * t), df / 2, 0.5) / 2
  return t > 0 ? 1 - tail : tail
}

/** The p-quantile of Student's t with df degrees of freedom. */
export function studentQuantile(p: number, df: number): number {
  if (!(p > 0 && p < 1)) return p === 0 ? -Infinity : p === 1 ? Infinity : Number.NaN
  if (p < 0.5) return -studentQuantile(1 - p, df)
  let high = Math.max(1, normalQuantile(p))
  while (studentCdf(high, df) < p) high *= 2
  let low = 0
  for (let i = 0; i < 100 && high - low > 1e-13 * high; i++) {
    const middle = (low + high) / 2
    if (studentCdf(middle, df) < p) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/**
 * P(T ≤ t) for noncentral t: T = (Z + δ) / S with S² ~ χ²/df, so the mean of Φ(t·s − δ) over the density of S
 * (Simpson's rule over S's range).
 */
export function noncentralStudentCdf(t: number, df: number, delta: number): number {
  const spread = 9 / Math.sqrt(2 * df)
  const low = Math.max(1e-9, 1 - spread)
  const high = 1 + Math.max(spread, 12 / df)
  const steps = 240
  const width = (high - low) / steps
  const logFront = Math.log(2) + (df / 2) * Math.log(df / 2) - logGamma(df / 2)
  let sum = 0
  for (let i = 0; i <= steps; i++) {
    const s = low + i * width
    const density = Math.exp(logFront + (df - 1) * Math.log(s) - (df * s * s) / 2)
    sum += (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * density * normalCdf(t * s - delta)
  }
  return (sum * width) / 3
}
