/**
 * AUROC with a standard error for clustered data (Obuchowski 1997): DeLong's structural components, summed by cluster
 * before they are squared, so that the windows of one document count as one.
 *
 *   S10 = I10 / ((I10 − 1)·M) · Σ (V10ᵢ − mᵢ·A)²,  S01 likewise,  S11 = I / (I − 1) · Σ (V10ᵢ − mᵢ·A)(V01ᵢ − nᵢ·A)
 *   Var(A) = S10 / M + S01 / N + 2·S11 / (M·N)
 *
 * mᵢ and nᵢ are cluster i's positives and negatives, M and N all of them, I10 and I01 the clusters that have any.
 *
 * The interval is Student's on the logit scale with min(I10, I01) − 1 degrees of freedom: with the normal quantile it holds
 * the true value too seldom below about 50 clusters of either class (docs/statistics.md). Near 1 (and 0) that is not enough:
 * a few positives that are all told say nothing of the share that is not, and the error is that of the negatives alone. So the
 * interval reaches at least as far as what k observations cannot exclude: with a share of 1 − (α / 2)^(1/k) of them at
 * chance, none of k is seen with probability α / 2. k is the smaller of the two classes' numbers after what their
 * clusters cost, n / (1 + (m̄ − 1)·ρ), m̄ = Σ nᵢ² / n, ρ the intraclass correlation of the ranks within the class.
 */
import { checkBetween, checkLabels, checkParallel, checkValues } from '../check.ts'
import { midranks } from '../descriptive.ts'
import { studentQuantile } from '../distributions/student.ts'
import { intraclassCorrelation } from '../intervals/design-effect.ts'

export interface ClusteredAuroc {
  readonly estimate: number
  /** Null where fewer than two clusters have positives, or negatives. */
  readonly standardError: number | null
  /** Inside [0, 1]; null where there is no error, and where it is 0 though some pairs are told and some are not. */
  readonly low: number | null
  readonly high: number | null
  readonly level: number
  readonly clusters: number
}

/** AUROC of scores for labels 0 or 1 in clusters; null where a class is absent. */
export function clusteredAuroc(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  clusters: ArrayLike<number | string>,
  level = 0.95,
): ClusteredAuroc | null {
  checkValues('scores', scores)
  checkParallel('scores', scores, 'labels', labels)
  checkParallel('scores', scores, 'clusters', clusters)
  checkLabels('labels', labels)
  checkBetween('level', level, 0, 1)
  const positives: number[] = []
  const negatives: number[] = []
  for (let i = 0; i < labels.length; i++) (labels[i] ? positives : negatives).push(i)
  if (positives.length === 0 || negatives.length === 0) return null

  const ranks = midranks(scores)
  const within = (items: number[]) => midranks(items.map(i => scores[i]!))
  const withinPositives = within(positives)
  const withinNegatives = within(negatives)
  const parts = new Map<number | string, { m: number; n: number; v10: number; v01: number }>()
  const part = (i: number) => {
    const found = parts.get(clusters[i]!) ?? { m: 0, n: 0, v10: 0, v01: 0 }
    parts.set(clusters[i]!, found)
    return found
  }
  let wins = 0
  positives.forEach((i, place) => {
    const own = part(i)
    const share = (ranks[i]! - withinPositives[place]!) / negatives.length
    own.m++
    own.v10 += share
    wins += share
  })
  negatives.forEach((i, place) => {
    const own = part(i)
    own.n++
    own.v01 += 1 - (ranks[i]! - withinNegatives[place]!) / positives.length
  })
  const estimate = wins / positives.length
  const all = [...parts.values()]
  const standardError = errorOf(all, estimate, positives.length, negatives.length)
  const least = Math.min(all.filter(({ m }) => m > 0).length, all.filter(({ n }) => n > 0).length)
  const bounds = standardError === null ? null : boundsOf()
  return { estimate, standardError, low: bounds?.[0] ?? null, high: bounds?.[1] ?? null, level, clusters: parts.size }

  function boundsOf(): [number, number] | null {
    const sizes = (of: 'm' | 'n') => all.map(part => part[of])
    const known = Math.min(
      knownBy(withinPositives, sizes('m'), groupsOf(positives)),
      knownBy(withinNegatives, sizes('n'), groupsOf(negatives)),
    )
    const [low, high] = unseen(estimate, known, level)
    if (estimate === 0 || estimate === 1) return [low, high]
    const found = logit(estimate, standardError!, studentQuantile((1 + level) / 2, least - 1))
    return found && [Math.min(low, found[0]), Math.max(high, found[1])]
  }

  function groupsOf(items: readonly number[]): (number | string)[] {
    return items.map(i => clusters[i]!)
  }
}

function errorOf(
  parts: readonly { m: number; n: number; v10: number; v01: number }[],
  estimate: number,
  m: number,
  n: number,
): number | null {
  const with10 = parts.filter(part => part.m > 0).length
  const with01 = parts.filter(part => part.n > 0).length
  if (with10 < 2 || with01 < 2) return null
  let s10 = 0
  let s01 = 0
  let s11 = 0
  for (const part of parts) {
    const a = part.v10 - part.m * estimate
    const b = part.v01 - part.n * estimate
    s10 += a * a
    s01 += b * b
    s11 += a * b
  }
  s10 *= with10 / ((with10 - 1) * m)
  s01 *= with01 / ((with01 - 1) * n)
  s11 *= parts.length / (parts.length - 1)
  // The three factors differ, so that the sum can fall a little below 0 where the components cancel.
  return Math.sqrt(Math.max(0, s10 / m + s01 / n + (2 * s11) / (m * n)))
}

function logit(estimate: number, error: number, quantile: number): [number, number] | null {
  if (error === 0) return null
  const half = (quantile * error) / (estimate * (1 - estimate))
  const centre = Math.log(estimate / (1 - estimate))
  return [1 / (1 + Math.exp(half - centre)), 1 / (1 + Math.exp(-half - centre))]
}

/** How many independent observations a class is worth. */
function knownBy(ranks: ArrayLike<number>, sizes: readonly number[], clusters: readonly (number | string)[]): number {
  const n = ranks.length
  const size = sizes.reduce((sum, own) => sum + own * own, 0) / n
  // Where nothing varies, nothing says that the values of a cluster are more than one.
  const alike = intraclassCorrelation(ranks, clusters) ?? 1
  return n / (1 + (size - 1) * Math.max(0, alike))
}

/** How far the area may lie below (above ½) or above (below ½) the estimate where `known` observations showed none at chance. */
function unseen(estimate: number, known: number, level: number): [number, number] {
  const kept = ((1 - level) / 2) ** (1 / known)
  const bound = estimate * kept + (1 - kept) / 2
  return estimate > 0.5 ? [bound, estimate] : [estimate, bound]
}
