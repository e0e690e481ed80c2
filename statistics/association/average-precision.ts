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

/**
 * Average precision of scores for labels 0 or 1; equal scores are one step, and an entry may stand for several observations.
 * Null without positives.
 */
export function averagePrecision(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  counts?: ArrayLike<number>,
): AveragePrecision | null {
  checkValues('scores', scores)
  checkParallel('scores', scores, 'labels', labels)
  checkLabels('labels', labels)
  if (counts) checkParallel('scores', scores, 'counts', counts)
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!)
  let [total, positives] = [0, 0]
  for (let i = 0; i < labels.length; i++) {
    total += counts?.[i] ?? 1
    positives += labels[i]! * (counts?.[i] ?? 1)
  }
  if (positives === 0) return null
  let [estimate, found, seen] = [0, 0, 0]
  for (let k = 0; k < order.length; ) {
    const score = scores[order[k]!]
    let more = 0
    for (; k < order.length && scores[order[k]!] === score; k++) {
      const count = counts?.[order[k]!] ?? 1
      more += labels[order[k]!]! * count
      seen += count
    }
    found += more
    estimate += (more / positives) * (found / seen)
  }
  return { estimate, prevalence: positives / total }
}
