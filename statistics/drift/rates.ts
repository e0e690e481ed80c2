/**
 * Whether any of many figures of documents, such as how often each latent fires in them, differs between two groups: the
 * difference of the groups' means by its standard error (Welch's t), two-sided, held against relabelled documents.
 */
import type { Random } from '../../core/random.ts'
import { checkParallel } from '../check.ts'
import { type Groups, type Relabelled, relabel } from './relabel.ts'

/** Figures of each document, [documents][items]; null where a document has none. */
export type Figures = readonly ArrayLike<number | null>[]

export interface RateDrift extends Relabelled {
  /** Mean of each group; null where it has no value. */
  readonly means: readonly [number | null, number | null]
  /** Documents of each group that have a value. */
  readonly documents: readonly [number, number]
}

/** Fewer documents of a group than this are not tested. */
const fewestDocuments = 5

/** Compares each item; `values` is |t|, null for items that too few documents have, or that do not vary. */
export function rateDrift(groups: Groups, figures: Figures, random: Random, draws = 999): RateDrift[] {
  const all = [...groups.a, ...groups.b]
  checkParallel('documents', all, 'figures', figures)
  const items = figures[0]?.length ?? 0
  const columns = Array.from({ length: items }, (_, item) => {
    const places: number[] = []
    const values: number[] = []
    figures.forEach((own, i) => {
      const value = own[item]
      if (value === null || value === undefined) return
      places.push(i)
      values.push(value)
    })
    return { places, values }
  })
  const found = relabel(groups, labels => columns.map(column => momentsOf(column, labels).t), random, draws)
  const labels = new Uint8Array(all.length).fill(1, 0, groups.a.length)
  return columns.map((column, item) => {
    const { means, counts } = momentsOf(column, labels)
    return { ...found[item]!, means, documents: counts }
  })
}

function momentsOf({ places, values }: { places: readonly number[]; values: readonly number[] }, labels: Uint8Array) {
  const counts: [number, number] = [0, 0]
  const sums = [0, 0]
  const squares = [0, 0]
  places.forEach((place, i) => {
    const group = labels[place] ? 0 : 1
    counts[group]!++
    sums[group]! += values[i]!
    squares[group]! += values[i]! ** 2
  })
  const means = counts.map((count, g) => (count > 0 ? sums[g]! / count : null)) as [number | null, number | null]
  if (Math.min(...counts) < fewestDocuments) return { counts, means, t: null }
  const errors = counts.map((count, g) => Math.max(0, squares[g]! / count - means[g]! ** 2) / (count - 1))
  const error = Math.sqrt(errors[0]! + errors[1]!)
  const difference = Math.abs(means[0]! - means[1]!)
  // Groups that do not vary at all: equal ones do not differ, others could not differ more.
  const scale = Math.max(Math.abs(means[0]!), Math.abs(means[1]!))
  const t = error > 1e-9 * scale ? difference / error : difference > 1e-9 * scale ? 1e9 : 0
  return { counts, means, t }
}
