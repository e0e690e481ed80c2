/**
 * Area under the ROC curve: the probability that a positive scores above a negative, ties counting half.
 *
 * Variance by DeLong, DeLong and Clarke-Pearson (1988), which takes tokens as independent; tokens of one document are
 * not, so the interval to report is that of `clusteredAuroc`.
 */
import { checkLabels, checkParallel, checkValues } from '../check.ts'
import { mean, midranks, variance } from '../descriptive.ts'
import { normalQuantile } from '../distributions/normal.ts'

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
