/**
 * The rule that a causal claim passes by, and its power. Two questions are asked of it, and both must be answered:
 *
 * - among directions: of every kind of control, at most a share α′ have a mean effect as far in the claimed direction
 *   (one-sided rank, counting the latent itself), where α′ is what Benjamini and Hochberg's procedure leaves of α;
 * - among documents: the interval over documents of the latent's effect less the mean control's lies, in the claimed
 *   direction, beyond the smallest effect of interest.
 *
 * The power at an effect δ beyond the hardest kind of control is the share of resampled studies that pass: documents drawn
 * with replacement for latent and controls alike, controls drawn with replacement, the latent's mean moved to δ.
 */
import type { Random } from '../../core/random.ts'
import { mean, standardDeviation } from '../../statistics/descriptive.ts'
import { studentQuantile } from '../../statistics/distributions/student.ts'

/** Effects in the claimed direction: larger is more as claimed. */
export interface Study {
  /** The latent's effect in each document. */
  readonly own: Float64Array
  /** Kinds of control: paired ones with a value for each document of the latent's, others with their means alone. */
  readonly kinds: readonly ({ readonly paired: readonly Float64Array[] } | { readonly means: Float64Array })[]
}

export interface Rule {
  /** Largest p that passes: what is left of α among the claims. */
  readonly effectiveAlpha: number
  /** Level of the interval over documents is 1 − α. */
  readonly alpha: number
  readonly smallestEffect: number
}

/** Resampled studies at each effect. */
const draws = 200
/** Effects beyond this many times the smallest of interest are not looked for. */
const largestMultiple = 4096

/** The share of studies of this size that pass where the true effect beyond the hardest controls is `effect`. */
export function powerOfRule(study: Study, rule: Rule, effect: number, random: Random): number {
  return new Simulation(study, rule, random).power(effect)
}

/** The smallest effect beyond the hardest controls that is found with this power; null where none is, however large. */
export function detectableEffect(study: Study, rule: Rule, power: number, random: Random): number | null {
  const simulation = new Simulation(study, rule, random)
  let high = rule.smallestEffect
  while (simulation.power(high) < power) {
    high *= 2
    if (high > largestMultiple * rule.smallestEffect) return null
  }
  let low = high / 2
  for (let i = 0; i < 8; i++) {
    const middle = (low + high) / 2
    if (simulation.power(middle) < power) low = middle
    else high = middle
  }
  return high
}

/** Studies resampled once, so that power does not fall where the effect grows. */
class Simulation {
  private readonly critical: number
  private readonly rule: Rule
  private readonly drawn: {
    /** Resampled residuals of the latent, and what each kind asks for. */
    readonly residual: Float64Array
    readonly kinds: readonly { readonly threshold: number; readonly documents: Float64Array }[]
  }[]
  /** Mean effect of the hardest kind of control. */
  private readonly hardest: number

  constructor({ own, kinds }: Study, rule: Rule, random: Random) {
    const n = own.length
    const centre = mean(own)
    this.rule = rule
    this.critical = studentQuantile(1 - rule.alpha / 2, n - 1) / Math.sqrt(n)
    this.hardest = Math.max(...kinds.map(kind => mean('paired' in kind ? kind.paired.map(mean) : kind.means)))
    // Values drawn again from n vary less than they did, by this factor.
    const inflation = Math.sqrt(n / (n - 1))
    this.drawn = Array.from({ length: draws }, () => {
      const sample = Uint32Array.from({ length: n }, () => random.int(n))
      return {
        residual: Float64Array.from(sample, d => (own[d]! - centre) * inflation),
        kinds: kinds.map(kind => resample(kind, sample, rule.effectiveAlpha, random)),
      }
    })
  }

  power(effect: number): number {
    let passed = 0
    for (const { residual, kinds } of this.drawn) if (this.passes(residual, kinds, this.hardest + effect)) passed++
    return passed / draws
  }

  private passes(
    residual: Float64Array,
    kinds: readonly { readonly threshold: number; readonly documents: Float64Array }[],
    shift: number,
  ): boolean {
    const own = mean(residual) + shift
    for (const { threshold, documents } of kinds) {
      if (!(own > threshold)) return false
      const differences = residual.map((value, d) => value + shift - documents[d]!)
      const centre = mean(differences)
      let squares = 0
      for (const value of differences) squares += (value - centre) ** 2
      const deviation = Math.sqrt(squares / (differences.length - 1))
      if (!(centre - this.critical * deviation > this.rule.smallestEffect)) return false
    }
    return true
  }
}

/** One kind in a resampled study: the mean effect that must be exceeded, and the mean control in each document. */
function resample(
  kind: Study['kinds'][number],
  sample: Uint32Array,
  effectiveAlpha: number,
  random: Random,
): { threshold: number; documents: Float64Array } {
  const count = 'paired' in kind ? kind.paired.length : kind.means.length
  const picked = Uint32Array.from({ length: count }, () => random.int(count))
  const documents = new Float64Array(sample.length)
  const width = smoothing(kind)
  const means = Float64Array.from(picked, control => {
    const moved = width * random.normal()
    if (!('paired' in kind)) return kind.means[control]! + moved
    const values = kind.paired[control]!
    let sum = 0
    sample.forEach((d, i) => {
      sum += values[d]! + moved
      documents[i]! += (values[d]! + moved) / count
    })
    return sum / sample.length
  })
  if (!('paired' in kind)) documents.fill(mean(means))
  return { threshold: thresholdOf(means, effectiveAlpha), documents }
}

/**
 * How far controls drawn again are moved: half of Silverman's bandwidth, with which stated effects are found about as often
 * as stated (docs/validation.md). Drawn as they are they would never reach farther than those at hand, and the rank they ask
 * for would seem too easy.
 */
function smoothing(kind: Study['kinds'][number]): number {
  const means = 'paired' in kind ? kind.paired.map(mean) : kind.means
  return means.length < 2 ? 0 : 0.53 * standardDeviation(means) * means.length ** -0.2
}

/** The value that must be exceeded for (1 + #{controls ≥ it}) / (K + 1) ≤ α′; Infinity where so few controls cannot show it. */
export function thresholdOf(means: Float64Array, effectiveAlpha: number): number {
  const allowed = Math.floor(effectiveAlpha * (means.length + 1) + 1e-9) - 1
  if (allowed < 0) return Number.POSITIVE_INFINITY
  const sorted = means.slice().sort().reverse()
  return allowed >= sorted.length ? Number.NEGATIVE_INFINITY : sorted[allowed]!
}
