/** Which windows of a split are read: so many tokens of them, by a hash, so that the order of the data does not matter. */
import { UserError } from '../core/errors.ts'
import { paced } from '../core/pace.ts'
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

/** A window that may be drawn, by its place in the dataset. */
interface Keyed {
  readonly place: number
  readonly length: number
  readonly index: number
  readonly key: number
}

/** Windows that are looked at between two times that those that cannot be drawn any more are let go. */
const atOnce = 1 << 15

/**
 * The drawn windows in the dataset's order. Throws a `UserError` where the split has none. `stop` is called from time to time,
 * and throws where the work is to end.
 */
export async function drawWindows(
  dataset: TokenDataset,
  { split, purpose, seed, tokens = Number.POSITIVE_INFINITY, windows = Number.POSITIVE_INFINITY, shortest = 1 }: Draw,
  stop?: () => void,
): Promise<TokenWindow[]> {
  /** How many of the windows are drawn, where they are sorted and no others come. */
  const drawnOf = (sorted: readonly Keyed[]): number => {
    let [drawn, count] = [0, 0]
    for (const { length } of sorted) {
      if (drawn >= windows || (drawn > 0 && count + length > tokens)) break
      drawn++
      count += length
    }
    return drawn
  }
  const inOrder = (keyed: Keyed[]) => keyed.sort((a, b) => a.key - b.key || a.index - b.index)
  const keyed: Keyed[] = []
  let looked = atOnce
  for await (const [place, { split: own, tokens, id, index }] of paced(dataset.windows.entries(), stop)) {
    if (own !== split || tokens.length < shortest) continue
    keyed.push({ place, length: tokens.length, index, key: uniformOf(seed, purpose, id) })
    if (keyed.length < looked) continue
    // The first that finds no room ends the draw, whatever comes before it yet.
    keyed.length = Math.min(keyed.length, drawnOf(inOrder(keyed)) + 1)
    looked = 2 * keyed.length + atOnce
  }
  if (keyed.length === 0)
    throw new UserError(`The dataset ${dataset.name} has no ${split} text.`, {
      fix: 'Use more documents, or raise dataset.heldOut.fraction.',
    })
  keyed.length = drawnOf(inOrder(keyed))
  const drawn: TokenWindow[] = []
  for await (const { place } of paced(keyed, stop)) drawn.push(dataset.windows.at(place)!)
  return drawn.sort((a, b) => a.index - b.index)
}
