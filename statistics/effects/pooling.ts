/**
 * Effects of several strata as one, and how much they differ (DerSimonian and Laird 1986; Higgins and Thompson 2002).
 *
 *   wᵢ = 1 / vᵢ,  ȳ = Σ wᵢ·yᵢ / Σ wᵢ,  Q = Σ wᵢ·(yᵢ − ȳ)²,  I² = max(0, (Q − df) / Q)
 *   τ² = max(0, (Q − df) / (Σ wᵢ − Σ wᵢ² / Σ wᵢ)),  θ̂ = Σ yᵢ / (vᵢ + τ²) / Σ 1 / (vᵢ + τ²)
 */
import { checkBetween, checkNumber, checkParallel, checkValues } from '../check.ts'
import { chiSquaredUpper } from '../distributions/gamma.ts'
import { normalQuantile } from '../distributions/normal.ts'
import { studentQuantile } from '../distributions/student.ts'

export interface Pooled {
  readonly estimate: number
  readonly standardError: number
  readonly low: number
  readonly high: number
  /**
   * The same with Hartung and Knapp's (2001) standard error and Student's t with df degrees of freedom, which covers
   * better for few strata; null for one stratum.
   */
  readonly hartungKnapp: { readonly standardError: number; readonly low: number; readonly high: number } | null
  /** The inverse-variance mean, which takes the strata to share one effect. */
  readonly fixed: number
  /** Variance of the true effects between strata. */
  readonly tau2: number
  readonly cochranQ: number
  readonly df: number
  /** P(χ²(df) > Q): small where the strata differ by more than their errors; null for one stratum. */
  readonly heterogeneityP: number | null
  /** Share of the variation that is not sampling error, 0 to 1; null for one stratum. */
  readonly i2: number | null
}

/** Pools one effect a stratum with its sampling variance (above 0). */
export function randomEffects(effects: ArrayLike<number>, variances: ArrayLike<number>, level = 0.95): Pooled {
  checkValues('effects', effects)
  checkValues('variances', variances)
  checkParallel('effects', effects, 'variances', variances)
  checkBetween('level', level, 0, 1)
  const k = effects.length
  for (let i = 0; i < k; i++) checkNumber(`variances[${i}]`, variances[i]!, Number.MIN_VALUE)

  const fixedWeights = Float64Array.from(variances, v => 1 / v)
  const sum = fixedWeights.reduce((a, b) => a + b)
  const squares = fixedWeights.reduce((a, b) => a + b * b, 0)
  const fixed = weightedMean(effects, fixedWeights)
  const cochranQ = spread(effects, fixedWeights, fixed)
  const df = k - 1
  const tau2 = k === 1 ? 0 : Math.max(0, (cochranQ - df) / (sum - squares / sum))

  const weights = Float64Array.from(variances, v => 1 / (v + tau2))
  const total = weights.reduce((a, b) => a + b)
  const estimate = weightedMean(effects, weights)
  const standardError = Math.sqrt(1 / total)
  const half = normalQuantile(1 - (1 - level) / 2) * standardError
  const knapp = k === 1 ? null : Math.sqrt(spread(effects, weights, estimate) / (df * total))
  const reach = knapp === null ? 0 : studentQuantile(1 - (1 - level) / 2, df) * knapp
  return {
    estimate,
    standardError,
    low: estimate - half,
    high: estimate + half,
    hartungKnapp: knapp === null ? null : { standardError: knapp, low: estimate - reach, high: estimate + reach },
    fixed,
    tau2,
    cochranQ,
    df,
    heterogeneityP: k === 1 ? null : chiSquaredUpper(cochranQ, df),
    i2: k === 1 ? null : cochranQ === 0 ? 0 : Math.max(0, (cochranQ - df) / cochranQ),
  }
}

function weightedMean(values: ArrayLike<number>, weights: Float64Array): number {
  let sum = 0
  let total = 0
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i]! * values[i]!
    total += weights[i]!
  }
  return sum / total
}

function spread(values: ArrayLike<number>, weights: Float64Array, centre: number): number {
  let sum = 0
  for (let i = 0; i < weights.length; i++) sum += weights[i]! * (values[i]! - centre) ** 2
  return sum
}
