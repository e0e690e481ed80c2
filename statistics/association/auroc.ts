/**
 * Area under the ROC curve: the probability that a positive scores above a negative, ties counting half.
 *
 * Variance by DeLong, DeLong and Clarke-Pearson (1988), which takes tokens as independent; tokens of one document are
 * not, so the interval to report resamples documents.
 */
import { checkLabels, checkParallel, checkValues } from '../check.ts'
import { mean, midranks, variance } from '../descriptive.ts'
import { normalQuantile } from '../distributions/normal.ts'
import { type BootstrapOptions, bootstrap, type Interval } from '../intervals/bootstrap.ts'

function checkLabelled(scores: ArrayLike<number>, labels: ArrayLike<number>): void {
  checkValues('scores', scores, 0)
  checkLabels('labels', labels)
  checkParallel('scores', scores, 'labels', labels)
}

/** AUROC of scores with labels 0 or 1; NaN where one class is absent. */
export function auroc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  checkLabelled(scores, labels)
  const ranks = midranks(scores)
  let sum = 0
  let positives = 0
  for (let i = 0; i < labels.length; i++) {
    if (!labels[i]) continue
    sum += ranks[i]!
    positives++
  }
  const negatives = labels.length - positives
  return (sum - (positives * (positives + 1)) / 2) / (positives * negatives)
}

/** AUROC with DeLong's standard error and normal interval (clipped to [0, 1]). */
export function deLong(scores: ArrayLike<number>, labels: ArrayLike<number>, level = 0.95) {
  checkLabelled(scores, labels)
  const positives: number[] = []
  const negatives: number[] = []
  for (let i = 0; i < labels.length; i++) (labels[i] ? positives : negatives).push(i)
  const ranks = midranks(scores)
  const within = (items: number[]) => midranks(items.map(i => scores[i]!))
  const withinPositives = within(positives)
  const withinNegatives = within(negatives)
  const v10 = positives.map((i, place) => (ranks[i]! - withinPositives[place]!) / negatives.length)
  const v01 = negatives.map((i, place) => 1 - (ranks[i]! - withinNegatives[place]!) / positives.length)
  const estimate = mean(v10)
  const standardError = Math.sqrt(variance(v10) / positives.length + variance(v01) / negatives.length)
  const half = normalQuantile(1 - (1 - level) / 2) * standardError
  return { estimate, standardError, low: Math.max(0, estimate - half), high: Math.min(1, estimate + half) }
}

/**
 * Scores in ascending groups of ties, each entry a document's positives and negatives at that score: AUROC of any
 * weighting of the documents in one pass. Zero-inflated latents have few entries.
 */
export interface ScoreTable {
  readonly documents: number
  readonly groups: readonly {
    readonly document: Uint32Array
    readonly positives: Uint32Array
    readonly negatives: Uint32Array
  }[]
}

/** The score table of scores, labels (0 or 1) and documents (0 … `count` − 1), all parallel. */
export function scoreTable(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  documents: ArrayLike<number>,
  count: number,
): ScoreTable {
  checkLabelled(scores, labels)
  checkParallel('scores', scores, 'documents', documents)
  const cells = new Map<number, Map<number, [number, number]>>()
  for (let i = 0; i < scores.length; i++) {
    const group = cells.get(scores[i]!) ?? new Map<number, [number, number]>()
    const cell = group.get(documents[i]!) ?? [0, 0]
    cells.set(scores[i]!, group.set(documents[i]!, cell)) // a Map takes −0 and 0 as one score
    cell[labels[i] ? 0 : 1]++
  }
  const groups = [...cells]
    .sort(([a], [b]) => a - b)
    .map(([, group]) => ({
      document: Uint32Array.from(group.keys()),
      positives: Uint32Array.from(group.values(), cell => cell[0]),
      negatives: Uint32Array.from(group.values(), cell => cell[1]),
    }))
  return { documents: count, groups }
}

/** AUROC with each document counted `weights[document]` times; NaN where one class is absent. */
export function weightedAuroc(table: ScoreTable, weights: ArrayLike<number>): number {
  checkValues('weights', weights, 0)
  let positives = 0
  let negatives = 0
  let wins = 0
  for (const group of table.groups) {
    let p = 0
    let n = 0
    for (let i = 0; i < group.document.length; i++) {
      const weight = weights[group.document[i]!]!
      p += weight * group.positives[i]!
      n += weight * group.negatives[i]!
    }
    wins += p * (negatives + n / 2)
    positives += p
    negatives += n
  }
  return wins / (positives * negatives)
}

/** AUROC with an interval by resampling whole documents. */
export function aurocInterval(table: ScoreTable, options: BootstrapOptions): Interval {
  const weights = new Float64Array(table.documents)
  return bootstrap(
    table.documents,
    sample => {
      weights.fill(0)
      for (let i = 0; i < sample.length; i++) weights[sample[i]!]!++
      return weightedAuroc(table, weights)
    },
    options,
  )
}
