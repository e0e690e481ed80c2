/**
 * The rule that a causal claim passes by, and its power. Two questions are asked of it, and both must be answered:
 *
 * - among directions: of every kind of control, at most a share α′ have a mean effect as far in the claimed direction
 *   (one-sided rank, counting the latent itself), where α′ is what Benjamini and Hochberg's procedure leaves of α;
 * - among documents: the interval over documents of the latent's effect less the mean control's lies, in the claimed
 *   direction, beyond the smallest effect of interest, and they are enough to show a sign by themselves (2⁻ⁿ ≤ α): an interval
 *   of three or four rests on their being normal.
 *
 * The power at an effect δ beyond the hardest kind of control is the share of other samples of this size that pass, with
 * documents and controls of their own, if this sample has their spread right (`predict.ts`).
 *
 * The effect that a sample states as detectable rests on what it saw, and so differs from sample to sample. Stated at the level
 * that is wanted, it would be found too seldom where few documents say how much documents vary, or too often where the
 * hardest of several kinds looks harder than it is. So the level is calibrated (Loh 1987, with a bootstrap in the
 * bootstrap): taking this sample for the truth, others like it state their own effects, at the level at which those are found
 * as often as is wanted.
 */
import type { Random } from '../../core/random.ts'
import { mean, standardDeviation } from '../../statistics/descriptive.ts'
import { studentQuantile } from '../../statistics/distributions/student.ts'
import { welchInterval } from '../../statistics/intervals/difference.ts'
import { documentPredictor, type ReachPredictor, reachPredictor, tailPredictor } from './predict.ts'

/** What was measured of a latent, as the rule asks for it. Effects are in the claimed direction: larger is more as claimed. */
export interface Sample {
  /** The latent's effect in each document. */
  readonly own: Float64Array
  /** Kinds of control: paired ones with a value for each document of the latent's, others with their means alone. */
  readonly kinds: readonly (({ readonly paired: readonly Float64Array[] } | { readonly means: Float64Array }) & {
    /** Controls that a sample has, where not all of this one were measured; default: those at hand. */
    readonly planned?: number
  })[]
}

export interface Rule {
  /** Largest p that passes: what is left of α among the claims. */
  readonly effectiveAlpha: number
  /** Level of the interval over documents is 1 − α. */
  readonly alpha: number
  readonly smallestEffect: number
}

/** Whether documents that all agree would do so by chance no more often than α. */
export function showsSign(documents: number, alpha: number): boolean {
  return 0.5 ** documents <= alpha
}

/** Samples that are drawn, and those of them that state an effect of their own. */
const draws = 500
const statements = 50

/** The share of samples of this size that pass where the true effect beyond the hardest controls is `effect`. */
export function powerOfRule(sample: Sample, rule: Rule, effect: number, random: Random): number {
  return new Predictions(sample, rule, random).needed().filter(needed => needed < effect).length / draws
}

/** The smallest effect beyond the hardest controls that is found with this power; null where none is, however large. */
export function detectableEffect(sample: Sample, rule: Rule, power: number, random: Random): number | null {
  const predictions = new Predictions(sample, rule, random)
  const needed = predictions.needed().sort()
  if (needed[draws - 1] === Number.POSITIVE_INFINITY) return null
  const others = Array.from({ length: statements }, () => predictions.needed(predictions.mistaken(random)).sort())
  const foundAt = (place: number) => others.reduce((sum, other) => sum + placeOf(needed, other[place]!), 0)
  let [low, high] = [0, draws - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (foundAt(middle) < power * draws * statements) low = middle + 1
    else high = middle
  }
  return needed[high]!
}

/** How many of the sorted values lie below one. */
function placeOf(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

/** How a sample like this one is mistaken: about the spread of documents, and about each kind's mean and reach. */
interface Mistake {
  readonly scale: number
  readonly kinds: readonly { readonly centre: number; readonly reach: number }[]
}

/** Other samples of the same size, drawn once, so that power does not fall where the effect grows. */
class Predictions {
  private readonly rule: Rule
  private readonly documents: number
  private readonly kinds: readonly KindOfControl[]
  /** For every sample and kind: the noise of the mean difference, half the interval's width, and how far controls reach. */
  private readonly drawn: readonly { readonly noise: number; readonly half: number; readonly reach: number }[][]

  constructor(sample: Sample, rule: Rule, random: Random) {
    this.rule = rule
    this.documents = sample.own.length
    this.kinds = sample.kinds.map(kind => kindOf(sample, kind, rule))
    const predict = documentPredictor(this.kinds.map(({ differences }) => differences))
    this.drawn = Array.from({ length: draws }, () => {
      const documents = predict(random)
      return this.kinds.map(({ error, critical, reach }, k) => ({
        noise: documents[k]!.mean,
        half: critical * Math.hypot(documents[k]!.deviation / Math.sqrt(this.documents), error),
        reach: reach ? reach.draw(random) : Number.POSITIVE_INFINITY,
      }))
    })
  }

  /** How another sample like this one would be mistaken, were this one right. */
  mistaken(random: Random): Mistake {
    let chi = 0
    for (let i = 1; i < this.documents; i++) chi += random.normal() ** 2
    return {
      scale: Math.sqrt(chi / (this.documents - 1)),
      kinds: this.kinds.map(({ error, reach }) => ({
        centre: error * random.normal(),
        reach: reach ? reach.draw(random) - reach.own : 0,
      })),
    }
  }

  /** For each sample the effect beyond the hardest controls from which on it passes; Infinity for never. */
  needed(
    { scale, kinds }: Mistake = { scale: 1, kinds: this.kinds.map(() => ({ centre: 0, reach: 0 })) },
  ): Float64Array {
    const centres = this.kinds.map(({ centre }, k) => centre + kinds[k]!.centre)
    const hardest = Math.max(...centres)
    return Float64Array.from(this.drawn, sample =>
      sample.reduce((most, { noise, half, reach }, k) => {
        const byRank = reach + kinds[k]!.reach
        const byDocuments = centres[k]! + this.rule.smallestEffect + scale * half
        return Math.max(most, Math.max(byRank, byDocuments) - scale * noise - hardest)
      }, Number.NEGATIVE_INFINITY),
    )
  }
}

interface KindOfControl {
  /** Their mean effect and its standard error over controls. */
  readonly centre: number
  readonly error: number
  /** Standard errors in half an interval's width. */
  readonly critical: number
  /** The latent's effect less the mean control's in each document, or its own where documents are not shared. */
  readonly differences: Float64Array
  /** How far the control reaches that must be exceeded; null where so few can show nothing. */
  readonly reach: ReachPredictor | null
}

function kindOf({ own }: Sample, kind: Sample['kinds'][number], { alpha, effectiveAlpha }: Rule): KindOfControl {
  const means = Float64Array.from('paired' in kind ? kind.paired.map(mean) : kind.means)
  const differences =
    'paired' in kind ? own.map((value, d) => value - mean(kind.paired.map(control => control[d]!))) : own
  const { df, standardError } = welchInterval(differences, means)
  const planned = Math.max(means.length, kind.planned ?? 0)
  const rank = rankAllowed(planned, effectiveAlpha)
  return {
    centre: mean(means),
    error: means.length > 1 ? standardDeviation(means) / Math.sqrt(means.length) : 0,
    critical: standardError ? studentQuantile(1 - alpha / 2, df) : 0,
    differences,
    reach: !showsSign(own.length, alpha)
      ? null
      : rank < 1
        ? tailPredictor(means, planned, effectiveAlpha)
        : reachPredictor(means, rank, planned),
  }
}

/** Which of K controls, from the largest, must be exceeded for (1 + #{controls ≥ it}) / (K + 1) ≤ α′; below 1: none is enough. */
export function rankAllowed(count: number, effectiveAlpha: number): number {
  return Math.min(count, Math.floor(effectiveAlpha * (count + 1) + 1e-9))
}
