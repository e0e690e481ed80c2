/** Student's t, central and noncentral: the exact tests and sample sizes for means of few documents. */
import { normalCdf, normalQuantile } from './normal.ts'

/** ln Γ(x) for x > 0: Stirling's series after shifting x above 12. */
export function logGamma(x: number): number {
  let shift = 0
  let z = x
  while (z < 12) shift += Math.log(z++)
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + stirling(z) - shift
}

/** Stirling's series beyond its first terms, for z ≥ 12. */
function stirling(z: number): number {
  const r = 1 / (z * z)
  return (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / z
}

/** ln Γ(a + b) − ln Γ(a), without the loss that large a would bring to a difference of two large numbers. */
function logGammaRatio(a: number, b: number): number {
  if (a < 12) return logGamma(a + b) - logGamma(a)
  return (a - 0.5) * Math.log1p(b / a) + b * Math.log(a + b) - b + stirling(a + b) - stirling(a)
}

/**
 * The regularised incomplete beta function I_x(a, b), by its continued fraction (Abramowitz and Stegun 26.5.8, evaluated as
 * Lentz does). `complement` is 1 − x where it is known more exactly than by subtraction.
 */
export function incompleteBeta(x: number, a: number, b: number, complement = 1 - x): number {
  if (x <= 0) return 0
  if (complement <= 0) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(complement, b, a, x)
  const [large, small] = a > b ? [a, b] : [b, a]
  const logX = x > 0.5 ? Math.log1p(-complement) : Math.log(x)
  const logComplement = complement > 0.5 ? Math.log1p(-x) : Math.log(complement)
  const front = Math.exp(logGammaRatio(large, small) - logGamma(small) + a * logX + b * logComplement) / a
  const tiny = 1e-300
  let c = 1
  let d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny)
  let fraction = d
  for (let i = 2; i < 100_000; i++) {
    const m = i >> 1
    const numerator =
      i % 2 === 0 ? (m * (b - m) * x) / ((a + i - 1) * (a + i)) : (-(a + m) * (a + b + m) * x) / ((a + i - 1) * (a + i))
    d = 1 / (1 + numerator * d || tiny)
    c = 1 + numerator / c || tiny
    fraction *= c * d
    if (Math.abs(c * d - 1) < 1e-16) break
  }
  return front * fraction
}

/** P(T > t) for t ≥ 0, exact in the tail. */
function studentTail(t: number, df: number): number {
  return incompleteBeta(df / (df + t * t), df / 2, 0.5, (t * t) / (df + t * t)) / 2
}

/** P(|T| ≤ t) for t ≥ 0, exact near 0. */
function studentCentre(t: number, df: number): number {
  return incompleteBeta((t * t) / (df + t * t), 0.5, df / 2, df / (df + t * t))
}

/** P(T ≤ t) with df degrees of freedom. */
export function studentCdf(t: number, df: number): number {
  return t > 0 ? 1 - studentTail(t, df) : studentTail(-t, df)
}

/** The p-quantile of Student's t with df degrees of freedom; ±Infinity at 1 and 0, NaN outside [0, 1]. */
export function studentQuantile(p: number, df: number): number {
  if (!(p > 0 && p < 1)) return p === 0 ? -Infinity : p === 1 ? Infinity : Number.NaN
  if (p === 0.5) return 0
  const tail = Math.min(p, 1 - p)
  // Far out by the tail's probability, near 0 by that of the middle: each is exact where the other cancels.
  const beyond =
    tail < 0.25 ? (t: number) => studentTail(t, df) < tail : (t: number) => studentCentre(t, df) > 1 - 2 * tail
  let high = Math.max(1, Math.abs(normalQuantile(tail)))
  while (!beyond(high)) high *= 2
  let low = 0
  while (high - low > 1e-15 * high) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    if (beyond(middle)) high = middle
    else low = middle
  }
  return (p < 0.5 ? -1 : 1) * ((low + high) / 2)
}

/** Nodes in (0, 1) and weights of the Gauss–Legendre rule of 16 points on [−1, 1], which is symmetric. */
const gauss = [
  [0.09501250983763744, 0.1894506104550685],
  [0.2816035507792589, 0.18260341504492358],
  [0.45801677765722737, 0.16915651939500254],
  [0.6178762444026438, 0.14959598881657674],
  [0.755404408355003, 0.12462897125553388],
  [0.8656312023878318, 0.09515851168249279],
  [0.9445750230732326, 0.06225352393864789],
  [0.9894009349916499, 0.02715245941175409],
] as const

/** ∫ f over [low, high] by eight panels of that rule. */
function integrate(f: (x: number) => number, low: number, high: number): number {
  if (high <= low) return 0
  const panels = 8
  const half = (high - low) / panels / 2
  let sum = 0
  for (let panel = 0; panel < panels; panel++) {
    const centre = low + (2 * panel + 1) * half
    for (const [node, weight] of gauss) sum += weight * (f(centre - half * node) + f(centre + half * node))
  }
  return sum * half
}

/**
 * P(T ≤ t) for noncentral t: T = (Z + δ) / S with S² ~ χ²/df, so the mean of Φ(t·s − δ) over the density of S. Φ rises from 0
 * to 1 within 18/t, which for few degrees of freedom and a small α is a sliver of S's range: it is integrated by itself.
 */
export function noncentralStudentCdf(t: number, df: number, delta: number): number {
  if (t === 0) return normalCdf(-delta)
  const spread = 12 / Math.sqrt(2 * df)
  const [low, high] = [Math.max(0, 1 - spread), 1 + spread]
  const logFront = Math.LN2 + (df / 2) * Math.log(df / 2) - logGamma(df / 2)
  const density = (s: number) => Math.exp(logFront + (df - 1) * Math.log(s) - (df * s * s) / 2)
  const within = (s: number) => Math.min(high, Math.max(low, s))
  const [first, last] = [within((delta - 9) / t), within((delta + 9) / t)]
  const [start, end] = [Math.min(first, last), Math.max(first, last)]
  const rising = integrate(s => density(s) * normalCdf(t * s - delta), start, end)
  const whole = t > 0 ? integrate(density, end, high) : integrate(density, low, start)
  return Math.min(1, rising + whole)
}
