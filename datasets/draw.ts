/** Which windows of a split are read: so many tokens of them, by a hash, so that the order of the data does not matter. */
import { UserError } from '../core/errors.ts'
import { uniformOf } from '../core/random.ts'
import type { Split, TokenDataset, TokenWindow } from './document.ts'

export interface Draw {
  readonly split: Split
  /** What the windows are for: other purposes draw others, from the same seed. */
  readonly purpose: string
  readonly seed: number
  /** Tokens of the drawn windows at most, but one window is always drawn; default: no bound. */
  readonly tokens?: number
  /** Windows at most; default: no bound. */
  readonly windows?: number
  /** Tokens that a window must have to be drawn; default 1. */
  readonly shortest?: number
}

/** The drawn windows in the dataset's order. Throws a `UserError` where the split has none. */
export function drawWindows(
  dataset: TokenDataset,
  { split, purpose, seed, tokens = Number.POSITIVE_INFINITY, windows = Number.POSITIVE_INFINITY, shortest = 1 }: Draw,
): TokenWindow[] {
  const keyed: { place: number; length: number; index: number; key: number }[] = []
  for (const [place, { split: own, tokens, id, index }] of dataset.windows.entries())
    if (own === split && tokens.length >= shortest)
      keyed.push({ place, length: tokens.length, index, key: uniformOf(seed, purpose, id) })
  keyed.sort((a, b) => a.key - b.key || a.index - b.index)
  if (keyed.length === 0)
    throw new UserError(`The dataset ${dataset.name} has no ${split} text.`, {
      fix: 'Use more documents, or raise dataset.heldOut.fraction.',
    })
  const drawn: TokenWindow[] = []
  let count = 0
  for (const { place, length } of keyed) {
    if (drawn.length >= windows || (drawn.length > 0 && count + length > tokens)) break
    drawn.push(dataset.windows.at(place)!)
    count += length
  }
  return drawn.sort((a, b) => a.index - b.index)
}
