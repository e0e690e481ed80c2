/** Cursors of lists: where a page ends, bound to the list that it is of. */
import { UserError } from '../../core/errors.ts'
import { sha256 } from '../../core/hash.ts'

/** A page of a list, and where the next one begins; null at its end. */
export interface Page<T> {
  readonly entries: T
  readonly total: number
  readonly next: string | null
}

export interface Asked {
  readonly cursor?: string | undefined
  readonly offset?: number | undefined
  readonly limit: number
}

/** The entries of a page. `of` is what makes the list this list: its file's hash, conditions, order. */
export function pageOf<T extends { readonly length: number; slice(start: number, end: number): T }>(
  list: T,
  { cursor, offset, limit }: Asked,
  of: string,
): Page<T> {
  if (cursor !== undefined && offset !== undefined)
    throw new UserError('A page begins at an offset or behind a cursor, not both.', { fix: 'Leave one out.' })
  const start = cursor === undefined ? (offset ?? 0) : placeOf(cursor, of)
  const end = Math.min(list.length, start + limit)
  return {
    entries: list.slice(start, end),
    total: list.length,
    next: end < list.length ? `${end}.${tagOf(of)}` : null,
  }
}

function placeOf(cursor: string, of: string): number {
  const [, place, tag] = /^(\d{1,15})\.([0-9a-f]{16})$/.exec(cursor) ?? []
  if (place === undefined)
    throw new UserError(`${JSON.stringify(cursor.slice(0, 60))} is no cursor.`, { fix: 'Send back `next` as it came.' })
  if (tag !== tagOf(of))
    throw new UserError('The cursor is of another list: other conditions, another order, or a run that changed.', {
      fix: 'Begin again without a cursor.',
    })
  return Number(place)
}

const tagOf = (of: string) => sha256(of).slice(0, 16)
