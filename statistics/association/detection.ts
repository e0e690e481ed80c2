/**
 * Detection at a threshold: what "fires above τ" says of a concept, and the τ to say it with.
 *
 *   precision = TP / (TP + FP),  recall = TP / (TP + FN),  F1 = 2·TP / (2·TP + FP + FN),  lift = precision / prevalence
 *
 * A threshold chosen on the same text flatters; choose it on other text.
 */
import { checkBetween, checkCount, checkLabels, checkNumber, checkParallel, checkValues } from '../check.ts'
import { studentQuantile } from '../distributions/student.ts'
import { jackknifeErrorOf } from '../intervals/jackknife.ts'

/** Observations by cluster, entries of which may stand for several. */
export interface Labelled {
  readonly scores: ArrayLike<number>
  /** 0 or 1. */
  readonly labels: ArrayLike<number>
  readonly clusters: ArrayLike<number | string>
  /** How many observations each entry stands for; 1 where left out. */
  readonly counts?: ArrayLike<number>
}

function check({ scores, labels, clusters, counts }: Labelled): void {
  checkValues('scores', scores)
  checkLabels('labels', labels)
  for (const [name, other] of Object.entries({ labels, clusters, ...(counts ? { counts } : {}) }))
    checkParallel('scores', scores, name, other)
}

/** The score above 0 with the best F1 where at least it counts as firing; the highest among equals, null where none is. */
export function bestThreshold(values: Labelled): { readonly threshold: number; readonly f1: number } | null {
  check(values)
  const { scores, labels, counts } = values
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i)
    .filter(i => scores[i]! > 0)
    .sort((a, b) => scores[b]! - scores[a]!)
  let positives = 0
  for (let i = 0; i < labels.length; i++) positives += labels[i]! * (counts?.[i] ?? 1)
  let best: { threshold: number; f1: number } | null = null
  let [fires, hits] = [0, 0]
  for (let k = 0; k < order.length; k++) {
    const i = order[k]!
    fires += counts?.[i] ?? 1
    hits += labels[i]! * (counts?.[i] ?? 1)
    if (k + 1 < order.length && scores[order[k + 1]!] === scores[i]) continue
    const f1 = (2 * hits) / (fires + positives)
    if (f1 > (best?.f1 ?? 0)) best = { threshold: scores[i]!, f1 }
  }
  return best
}

/** A value with its interval over clusters: null bounds where the clusters are too few or do not vary. */
export interface Bounded {
  readonly estimate: number
  readonly low: number | null
  readonly high: number | null
}

export interface Detection {
  /** Null where nothing fires. */
  readonly precision: number | null
  readonly recall: Bounded
  readonly f1: Bounded
  readonly lift: Bounded | null
  /** Odds of the concept where it fires by those where it does not, ½ added to each count (Haldane 1956). */
  readonly oddsRatio: Bounded
}

type Counts = readonly [hits: number, fires: number, positives: number, total: number]

/**
 * Detection with scores of at least `threshold` counted as firing. Intervals are Student's over the clusters that have the
 * concept, from the jackknife: of recall and F1 on their own scale within [0, 1], of lift and odds ratio on the logarithm's.
 * Null where no entry is positive or all are.
 */
export function detection(values: Labelled, threshold: number, level = 0.95): Detection | null {
  check(values)
  checkNumber('threshold', threshold)
  checkBetween('level', level, 0, 1)
  const clusters = clusterCounts(values, threshold)
  const total = [0, 1, 2, 3].map(k => clusters.reduce((sum, own) => sum + own[k]!, 0)) as unknown as Counts
  const [hits, fires, positives, count] = total
  const without = clusters.map(own => total.map((all, k) => all - own[k]!) as unknown as Counts)
  if (positives === 0 || positives === count) return null
  const holding = clusters.filter(([, , own]) => own > 0).length
  const quantile = holding < 2 ? null : studentQuantile((1 + level) / 2, holding - 1)
  const bounded = (statistic: (counts: Counts) => number | null, logarithm: boolean): Bounded => {
    const estimate = statistic(total)!
    const error = quantile === null ? null : jackknifeErrorOf(without.map(statistic))
    const half = error === null || error === 0 ? null : quantile! * error
    if (logarithm) {
      const value = Math.exp(estimate)
      return half === null
        ? { estimate: value, low: null, high: null }
        : { estimate: value, low: Math.exp(estimate - half), high: Math.exp(estimate + half) }
    }
    return half === null
      ? { estimate, low: null, high: null }
      : { estimate, low: Math.max(0, estimate - half), high: Math.min(1, estimate + half) }
  }
  return {
    precision: fires === 0 ? null : hits / fires,
    recall: bounded(([hits, , positives]) => (positives === 0 ? null : hits / positives), false),
    f1: bounded(([hits, fires, positives]) => (positives === 0 ? null : (2 * hits) / (fires + positives)), false),
    lift: hits === 0 ? null : bounded(logLift, true),
    oddsRatio: bounded(logOdds, true),
  }
}

const logLift = ([hits, fires, positives, total]: Counts): number | null =>
  hits === 0 ? null : Math.log((hits * total) / (fires * positives))

const logOdds = ([hits, fires, positives, total]: Counts): number | null => {
  const [a, b, c] = [hits + 0.5, fires - hits + 0.5, positives - hits + 0.5]
  return Math.log((a * (total - fires - positives + hits + 0.5)) / (b * c))
}

function clusterCounts({ scores, labels, clusters, counts }: Labelled, threshold: number): Counts[] {
  const found = new Map<number | string, [number, number, number, number]>()
  for (let i = 0; i < scores.length; i++) {
    const own = found.get(clusters[i]!) ?? [0, 0, 0, 0]
    found.set(clusters[i]!, own)
    const count = counts?.[i] ?? 1
    checkCount('counts', count)
    const fires = scores[i]! >= threshold
    own[0] += fires && labels[i] ? count : 0
    own[1] += fires ? count : 0
    own[2] += labels[i] ? count : 0
    own[3] += count
  }
  return [...found.values()]
}
