/**
 * AUPRC as average precision: Σ (Rₖ − Rₖ₋₁)·Pₖ over the different scores from the highest down, where Pₖ and Rₖ are
 * precision and recall at that score. Not interpolated, which would flatter (Davis and Goadrich 2006). Its value for
 * scores that say nothing is the prevalence.
 */
import { checkLabels, checkParallel, checkValues } from '../check.ts'

export interface AveragePrecision {
  readonly estimate: number
  /** Share of positives: what chance gives. */
  readonly prevalence: number
}

/** Average precision of scores for labels 0 or 1; equal scores are one step. Null without positives. */
export function averagePrecision(scores: ArrayLike<number>, labels: ArrayLike<number>): AveragePrecision | null {
  checkValues('scores', scores)
  checkParallel('scores', scores, 'labels', labels)
  checkLabels('labels', labels)
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!)
  let positives = 0
  for (let i = 0; i < labels.length; i++) positives += labels[i]!
  if (positives === 0) return null
  let estimate = 0
  let found = 0
  for (let start = 0; start < order.length; ) {
    let end = start
    let more = 0
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) more += labels[order[end++]!]!
    found += more
    estimate += (more / positives) * (found / end)
    start = end
  }
  return { estimate, prevalence: positives / labels.length }
}
