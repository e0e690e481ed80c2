/** What a null gave: how its p-values lie, how many of its claims are supported, and in how many families any is. */

import { clopperPearson } from '../../statistics/intervals/clopper-pearson.ts'
import { clusterMeanInterval } from '../../statistics/intervals/cluster-mean.ts'
import type { ProvedRun } from './run-case.ts'

/** A share of all, with Clopper and Pearson's interval. */
export interface Share {
  readonly count: number
  readonly of: number
  readonly low: number
  readonly high: number
}

/** The levels at which p-values are counted. */
export const levels = [0.01, 0.05, 0.1, 0.5] as const

export interface NullResult {
  readonly runs: number
  readonly claims: number
  /** Claims that were measured: the others are not run, and not supported. */
  readonly measured: number
  /** Claims of which p is at most each of `levels`, among the measured. */
  readonly below: readonly Share[]
  /**
   * Whether p-values are uniform or conservative: at no level the share lies above it, by an interval over runs, whose
   * claims have controls in common.
   */
  readonly holds: boolean
  readonly supported: Share
  /** Families in which any claim is supported. */
  readonly families: Share
}

/** A count with its interval. */
export function share(count: number, of: number): Share {
  if (of === 0) return { count, of, low: 0, high: 1 }
  const [low, high] = clopperPearson(count, of)
  return { count, of, low, high }
}

/** The table's line of a null from its runs. */
export function nullResult(runs: readonly ProvedRun[]): NullResult {
  const families = runs.flat()
  const claims = families.flat()
  const p = runs.map(run => run.flat().flatMap(({ p }) => (p === null ? [] : [p])))
  const all = p.flat()
  const below = levels.map(level => share(all.filter(value => value <= level).length, all.length))
  const holds = levels.every((level, i) => {
    if (all.length === 0 || below[i]!.count === 0) return true
    const values = p.flatMap(run => run.map(value => (value <= level ? 1 : 0)))
    const clusters = p.flatMap((run, r) => run.map(() => r))
    // Runs that all have the same share have no interval of their own.
    const byRun = clusterMeanInterval(values, clusters).low ?? below[i]!.low
    return Math.min(byRun, below[i]!.low) <= level
  })
  const isSupported = ({ verdict }: ProvedRun[number][number]) => verdict === 'pass'
  return {
    runs: runs.length,
    claims: claims.length,
    measured: all.length,
    below,
    holds,
    supported: share(claims.filter(isSupported).length, claims.length),
    families: share(families.filter(family => family.some(isSupported)).length, families.length),
  }
}
