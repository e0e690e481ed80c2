/**
 * How well a latent tells its concept by the raw values of selectivity.parquet: at each threshold the tokens that it calls and those
 * that carry the concept, recall and precision with Student's intervals over documents (a ratio of sums over clusters), and the area.
 */
import { clusterMeanInterval } from '../../statistics/intervals/cluster-mean.ts'
import type { RocPoint, Share } from '../api/contracts/feature.ts'
import { select } from './select.ts'
import type { Table } from './table.ts'

/** The table of raw values, and the version of its columns that this reads. */
export const selectivityFile = 'selectivity.parquet'
export const selectivitySchema = 1

/** A validation window of one latent: tokens that count, where it fires and how strongly, and where the concept is. */
export interface SelectivityWindow {
  readonly document: string
  readonly tokens: number
  readonly positions: ArrayLike<number>
  readonly activations: ArrayLike<number>
  readonly labelled: ArrayLike<number>
}

export interface Roc {
  readonly tokens: number
  readonly positives: number
  readonly documents: number
  /** Area under all thresholds, ties half; null where all tokens carry the concept, or none. */
  readonly auroc: number | null
  /** By falling threshold, at most `most` of them. */
  readonly points: readonly RocPoint[]
}

/** The curve of one latent's windows. */
export function rocOf(windows: readonly SelectivityWindow[], most: number): Roc {
  const fired: { value: number; isPositive: boolean; document: string }[] = []
  const positives: { value: number; document: string }[] = []
  let tokens = 0
  for (const { document, positions, activations, labelled, ...window } of windows) {
    tokens += window.tokens
    const values = new Map(Array.from(positions, (position, i) => [position, activations[i]!]))
    const carries = new Set(Array.from(labelled))
    for (const [position, value] of values)
      if (value > 0) fired.push({ value, isPositive: carries.has(position), document })
    for (const position of carries) positives.push({ value: values.get(position) ?? 0, document })
  }
  fired.sort((a, b) => b.value - a.value)
  const steps: { threshold: number; called: number; truePositives: number }[] = []
  let truePositives = 0
  for (const [i, { value, isPositive }] of fired.entries()) {
    if (isPositive) truePositives++
    if (fired[i + 1]?.value !== value) steps.push({ threshold: value, called: i + 1, truePositives })
  }
  const negatives = tokens - positives.length
  const shownSteps = thinned(steps, most)
  return {
    ...{ tokens, positives: positives.length, documents: new Set(windows.map(({ document }) => document)).size },
    auroc: areaOf(steps, positives.length, negatives),
    points: shownSteps.map(({ threshold, called, truePositives }) => ({
      ...{ threshold, truePositives, falsePositives: called - truePositives },
      recall: shareOf(positives.map(one => ({ document: one.document, is: one.value >= threshold }))),
      precision: shareOf(fired.slice(0, called).map(one => ({ document: one.document, is: one.isPositive }))),
      falseAlarms: negatives > 0 ? (called - truePositives) / negatives : 0,
    })),
  }
}

/** Trapezoids between all thresholds, and on to the corner at which every token is called. */
function areaOf(
  steps: readonly { readonly called: number; readonly truePositives: number }[],
  positives: number,
  negatives: number,
): number | null {
  if (positives === 0 || negatives === 0) return null
  let [area, x, y] = [0, 0, 0]
  for (const [nextX, nextY] of [
    ...steps.map(({ called, truePositives }): [number, number] => [called - truePositives, truePositives]),
    [negatives, positives] as const,
  ]) {
    area += (nextX - x) * ((y + nextY) / 2)
    ;[x, y] = [nextX, nextY]
  }
  return area / (positives * negatives)
}

function shareOf(counted: readonly { readonly document: string; readonly is: boolean }[]): Share {
  if (counted.length === 0) return { value: null, low: null, high: null }
  const { estimate, low, high } = clusterMeanInterval(
    counted.map(({ is }) => (is ? 1 : 0)),
    counted.map(({ document }) => document),
  )
  // A share is no less than 0 and no more than 1, whatever Student's interval says.
  return {
    value: estimate,
    low: low === null ? null : Math.max(0, low),
    high: high === null ? null : Math.min(1, high),
  }
}

function thinned<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items
  return Array.from({ length: most }, (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))]!)
}

/** The curve of a latent by a table of selectivity.parquet, of which its rows alone are read. */
export async function rocOfLatent(table: Table, latent: number, most: number): Promise<Roc> {
  await table.load(['feature'])
  const rows = select(table, { where: [`feature=${latent}`] })
  const windows = await table.records(rows, ['document', 'tokens', 'positions', 'activations', 'labelled'])
  return rocOf(
    windows.map(({ document, tokens, positions, activations, labelled }) => ({
      ...{ document: String(document), tokens: Number(tokens), positions: positions as number[] },
      ...{ activations: activations as number[], labelled: labelled as number[] },
    })),
    most,
  )
}
