/**
 * AUROC among pairs of one stratum: whether scores tell positives from negatives once whatever the strata hold fixed, such
 * as the token itself, is the same for both. ½ where they do not, however well they do so across strata.
 *
 *   A = Σₛ Wₛ / Σₛ mₛ·nₛ,  Wₛ = #{positive above negative in s} + #{equal} / 2
 *
 * mₛ and nₛ are the stratum's positives and negatives (van Elteren 1960 with pairs as weights). With midranks R within the
 * stratum, W − Σ mₛnₛ / 2 = Σᵢ (yᵢ − ȳₛ)(Rᵢ − R̄ₛ), which falls to clusters, so that the windows of one document are one
 * observation; p is by flipping the signs of those parts. Clusters that share a small stratum are not independent: parts
 * are enlarged by √(cₛ / (cₛ − 1)), cₛ the clusters in the stratum, which makes the variance that of a permutation.
 */
import type { Random } from '../../core/random.ts'
import { checkBetween, checkLabels, checkParallel, checkValues } from '../check.ts'
import { studentQuantile } from '../distributions/student.ts'
import { signFlipFrom } from '../tests/permutation.ts'

export interface StratifiedAuroc {
  readonly estimate: number
  /** Student's t over clusters, within [0, 1]; null for fewer than two clusters with positives, or with negatives. */
  readonly low: number | null
  readonly high: number | null
  /** Two-sided, of A = ½. */
  readonly p: number
  /** Pairs compared, and strata and clusters that have any. */
  readonly pairs: number
  readonly strata: number
  readonly clusters: number
}

export interface StratifiedScores {
  readonly scores: ArrayLike<number>
  /** 0 or 1. */
  readonly labels: ArrayLike<number>
  readonly strata: ArrayLike<number | string>
  readonly clusters: ArrayLike<number | string>
  /** How many observations each entry stands for; 1 where left out. */
  readonly counts?: ArrayLike<number>
}

interface Part {
  /** Its part of W − Σ mₛnₛ / 2 and of the pairs, both enlarged; whether it has positives and negatives. */
  excess: number
  pairs: number
  positive: boolean
  negative: boolean
}

/** AUROC within strata, with an interval over clusters; null where no stratum has both labels. */
export function stratifiedAuroc(values: StratifiedScores, random: Random, level = 0.95): StratifiedAuroc | null {
  const { scores, labels, strata, clusters, counts } = values
  checkValues('scores', scores)
  checkLabels('labels', labels)
  for (const [name, other] of Object.entries({ labels, strata, clusters, ...(counts ? { counts } : {}) }))
    checkParallel('scores', scores, name, other)
  checkBetween('level', level, 0, 1)
  const parts = new Map<number | string, Part>()
  let [pairs, excess, used] = [0, 0, 0]
  for (const items of membersOf(strata)) {
    const found = addStratum(items, values, parts)
    if (!found) continue
    pairs += found.pairs
    excess += found.excess
    used++
  }
  if (pairs === 0) return null
  const all = [...parts.values()]
  const estimate = 0.5 + excess / pairs
  const p = signFlipFrom(
    excess,
    all.map(part => part.excess),
    random,
  ).p
  const least = Math.min(all.filter(part => part.positive).length, all.filter(part => part.negative).length)
  const bounds = least < 2 ? null : interval(all, estimate, pairs, studentQuantile((1 + level) / 2, least - 1))
  return { estimate, low: bounds?.[0] ?? null, high: bounds?.[1] ?? null, p, pairs, strata: used, clusters: all.length }
}

function interval(
  parts: readonly Part[],
  estimate: number,
  pairs: number,
  quantile: number,
): [low: number, high: number] | null {
  let squares = 0
  for (const part of parts) squares += (part.excess - (estimate - 0.5) * part.pairs) ** 2
  const half = (quantile * Math.sqrt((parts.length / (parts.length - 1)) * squares)) / pairs
  // Where nothing varies, as where every pair is told, the clusters do not say how much it might.
  return half === 0 ? null : [Math.max(0, estimate - half), Math.min(1, estimate + half)]
}

/** Adds a stratum's parts to its clusters'; undefined where it has one label only. */
function addStratum(
  items: readonly number[],
  { scores, labels, clusters, counts }: StratifiedScores,
  parts: Map<number | string, Part>,
): { pairs: number; excess: number } | undefined {
  const weight = (i: number) => counts?.[i] ?? 1
  let [n, positives] = [0, 0]
  for (const i of items) {
    n += weight(i)
    if (labels[i]) positives += weight(i)
  }
  if (positives === 0 || positives === n) return undefined
  const shared = new Set(items.map(i => clusters[i]!)).size
  const enlarged = shared < 2 ? 1 : Math.sqrt(shared / (shared - 1))
  const ranks = weightedMidranks(items, scores, weight)
  const [share, centre] = [positives / n, (n + 1) / 2]
  let excess = 0
  items.forEach((i, place) => {
    const part = parts.get(clusters[i]!) ?? { excess: 0, pairs: 0, positive: false, negative: false }
    parts.set(clusters[i]!, part)
    const away = labels[i]! - share
    const own = weight(i) * away * (ranks[place]! - centre)
    part.excess += enlarged * own
    part.pairs += enlarged * weight(i) * n * away * away
    if (labels[i]) part.positive = true
    else part.negative = true
    excess += own
  })
  return { pairs: positives * (n - positives), excess }
}

/** Midranks of entries that stand for several observations each. */
function weightedMidranks(
  items: readonly number[],
  scores: ArrayLike<number>,
  weight: (i: number) => number,
): Float64Array {
  const ranks = new Float64Array(items.length)
  const order = items.map((_, place) => place).sort((a, b) => scores[items[a]!]! - scores[items[b]!]!)
  let below = 0
  for (let start = 0; start < order.length; ) {
    let end = start
    let tied = 0
    const score = scores[items[order[start]!]!]!
    while (end < order.length && scores[items[order[end]!]!]! === score) tied += weight(items[order[end++]!]!)
    for (let k = start; k < end; k++) ranks[order[k]!] = below + (tied + 1) / 2
    below += tied
    start = end
  }
  return ranks
}

function membersOf(strata: ArrayLike<number | string>): Iterable<number[]> {
  const members = new Map<number | string, number[]>()
  for (let i = 0; i < strata.length; i++) {
    const found = members.get(strata[i]!)
    if (found) found.push(i)
    else members.set(strata[i]!, [i])
  }
  return members.values()
}
