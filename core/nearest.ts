/** "Did you mean": the known names closest to one that is not known. */
import { UserError } from './errors.ts'
import { quote } from './quote.ts'

/** Number of single-character edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => {
    const row = new Array<number>(b.length + 1).fill(0)
    row[0] = i
    return row
  })
  for (let j = 0; j <= b.length; j++) rows[0]![j] = j
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const replace = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let best = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, replace)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2]![j - 2]! + 1)
      rows[i]![j] = best
    }
  }
  return rows[a.length]![b.length]!
}

/** The `count` names nearest to `name`, nearest first; ties keep the order of `names`. A name cut short is one edit away. */
export function nearest(name: string, names: readonly string[], count = 3): string[] {
  const typed = name.toLowerCase()
  const distance = (known: string) => (known.startsWith(typed) ? 1 : editDistance(typed, known))
  return names
    .map(candidate => ({ candidate, distance: distance(candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, count)
    .map(({ candidate }) => candidate)
}

/** Refuses names of a setting that are not among the known ones. `what` is what each should be: `the dataset toyworld has no concept`. */
export function mustKnow(
  names: readonly string[],
  known: readonly string[],
  { key, what }: { key: string; what: string },
) {
  const unknown = names.find(name => !known.includes(name))
  if (unknown === undefined) return
  const near = nearest(unknown, known).map(quote)
  throw new UserError(`${key} names ${quote(unknown)}, but ${what} of that name.`, {
    fix:
      near.length === 0
        ? `It has none: leave ${key} out.`
        : `Did you mean ${near.join(', ')}?${known.length > near.length ? ` There are ${known.length}.` : ''}`,
  })
}
