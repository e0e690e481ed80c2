/**
 * The normal distribution: Φ by the series of erf near zero and the continued fraction of erfc in the tails
 * (Abramowitz and Stegun 7.1.6 and 7.1.14); Φ⁻¹ by Newton's method on it.
 */

/** erfc(x) = 1 − erf(x), with full relative precision in the upper tail. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x)
  if (x < 2.5) {
    let term = x
    let sum = x
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (2 * x * x) / (2 * n + 1)
      sum += term
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
  }
  let fraction = x
  for (let n = 80; n >= 1; n--) fraction = x + n / 2 / fraction
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction)
}

/** Φ(z): the probability below z. */
export function normalCdf(z: number): number {
  return 0.5 * erfc(-z / Math.SQRT2)
}

/** φ(z): the density at z. */
export function normalDensity(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)
}

/** Φ⁻¹(p); ±Infinity at 1 and 0, NaN outside [0, 1]. */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) return Number.NaN
  if (p === 0) return -Infinity
  if (p === 1) return Infinity
  if (p > 0.5) return -normalQuantile(1 - p)
  // √(−2 ln p) overshoots the tail's quantile, and Newton's steps on ln Φ, which is concave, then never diverge.
  let z = p === 0.5 ? 0 : -Math.sqrt(-2 * Math.log(p))
  for (let i = 0; i < 60; i++) {
    const cdf = normalCdf(z)
    const step = (Math.log(cdf / p) * cdf) / normalDensity(z)
    z -= step
    if (Math.abs(step) < 1e-15 * (1 + Math.abs(z))) break
  }
  return z
}
