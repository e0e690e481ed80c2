/**
 * AUROC with a standard error for clustered data (Obuchowski 1997): DeLong's structural components, summed by cluster
 * before they are squared, so that the windows of one document count as one.
 *
 *   S10 = I10 / ((I10 − 1)·M) · Σ (V10ᵢ − mᵢ·A)²,  S01 likewise,  S11 = I / (I − 1) · Σ (V10ᵢ − mᵢ·A)(V01ᵢ − nᵢ·A)
 *   Var(A) = S10 / M + S01 / N + 2·S11 / (M·N)
 *
 * mᵢ and nᵢ are cluster i's positives and negatives, M and N all of them, I10 and I01 the clusters that have any.
 */
import { checkBetween, checkLabels, checkParallel, checkValues } from '../check.ts'
import { midranks } from '../descriptive.ts'
import { normalQuantile } from '../distributions/normal.ts'

export interface ClusteredAuroc {
  readonly estimate: number
  /** Null where fewer than two clusters have positives, or negatives. */
  readonly standardError: number | null
  /** Normal interval on the logit scale, inside (0, 1); null where there is no error or the estimate is 0 or 1. */
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
  const standardError = errorOf([...parts.values()], estimate, positives.length, negatives.length)
  const bounds =
    standardError === null || !(estimate > 0 && estimate < 1) ? null : logit(estimate, standardError, level)
  return { estimate, standardError, low: bounds?.[0] ?? null, high: bounds?.[1] ?? null, level, clusters: parts.size }
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

function logit(estimate: number, error: number, level: number): [number, number] | null {
  if (error === 0) return null
  const half = (normalQuantile(1 - (1 - level) / 2) * error) / (estimate * (1 - estimate))
  const centre = Math.log(estimate / (1 - estimate))
  return [1 / (1 + Math.exp(half - centre)), 1 / (1 + Math.exp(-half - centre))]
}
