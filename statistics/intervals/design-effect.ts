/** What clusters cost: values of one document are alike, so that n of them are worth fewer (Kish 1965). */
import { checkNumber, checkParallel, checkValues } from '../check.ts'

/** 1 + (m − 1)·ρ for clusters of m values with intraclass correlation ρ. */
export function designEffect(m: number, icc: number): number {
  checkNumber('m', m, 1)
  checkNumber('icc', icc, -1, 1)
  return 1 + (m - 1) * icc
}

/** n / (1 + (m − 1)·ρ); null where the design effect is not above 0. */
export function effectiveSize(n: number, m: number, icc: number): number | null {
  checkNumber('n', n, 0)
  const effect = designEffect(m, icc)
  return effect > 0 ? n / effect : null
}

/**
 * ρ by analysis of variance (Donner 1986): (MSB − MSW) / (MSB + (m₀ − 1)·MSW), m₀ = (N − Σ nᵢ² / N) / (k − 1). May be
 * negative. Null for one cluster, for clusters of one value each, and where nothing varies.
 */
export function intraclassCorrelation(values: ArrayLike<number>, clusters: ArrayLike<number | string>): number | null {
  checkValues('values', values)
  checkParallel('values', values, 'clusters', clusters)
  const groups = new Map<number | string, number[]>()
  for (let i = 0; i < values.length; i++) {
    const group = groups.get(clusters[i]!) ?? []
    group.push(values[i]!)
    groups.set(clusters[i]!, group)
  }
  const n = values.length
  const k = groups.size
  if (k < 2 || n === k) return null
  const grand = Array.from(values).reduce((a, b) => a + b) / n
  let [between, within, sizes] = [0, 0, 0]
  for (const group of groups.values()) {
    const own = group.reduce((a, b) => a + b) / group.length
    between += group.length * (own - grand) ** 2
    for (const value of group) within += (value - own) ** 2
    sizes += group.length ** 2
  }
  const msb = between / (k - 1)
  const msw = within / (n - k)
  const m0 = (n - sizes / n) / (k - 1)
  const total = msb + (m0 - 1) * msw
  return total === 0 ? null : (msb - msw) / total
}
