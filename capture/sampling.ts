/**
 * Which tokens are taken: each independently, with its stratum's inclusion probability (Poisson sampling), decided by a
 * hash of seed, window and position, so that neither order nor batching matters. A row's weight is 1 / probability, and
 * weighted sums over the rows estimate sums over the population without bias (Horvitz and Thompson 1952).
 */
import { paced, type Sifted, sifted, upTo } from '../core/pace.ts'
import type { PassStep } from '../core/passes.ts'
import { uniformsOf } from '../core/random.ts'
import type { TokenWindow } from '../datasets/document.ts'
import type { EligibleTokens, Strata } from './strata.ts'

/** A window's tokens that were taken: position and stratum of each. */
export type SelectedTokens = EligibleTokens

/** The tokens of each window that are taken, drawn anew, and alike, each time that they are read; windows without any are left out. */
export interface Selection extends Sifted<SelectedTokens> {
  /** Those of the windows from one place of the dataset to another. */
  between(from: number, to: number): Sifted<SelectedTokens>
  /** Those of the window at a place; undefined where none is taken. */
  at(place: number): SelectedTokens | undefined
}

/** Draws tokens. Draws for different purposes are independent of each other. */
export function selectTokens(
  { windows }: Pick<Strata, 'windows'>,
  probabilities: readonly number[],
  seed: number,
  purpose: 'capture' | 'pilot' = 'capture',
): Selection {
  // A bit for each window of which nothing is taken, set once that is known: most of them, where few rows are wanted of much text.
  const without = new Uint8Array(Math.ceil(windows.length / 8))
  // Which of a window's tokens are taken, and room for as many as any had.
  let taken = new Uint32Array(256)
  const at = (place: number): SelectedTokens | undefined => {
    const bit = 1 << (place & 7)
    if (without[place >>> 3]! & bit) return undefined
    const { window, positions, strata } = windows.at(place)!
    if (positions.length > taken.length) taken = new Uint32Array(2 * positions.length)
    const draw = uniformsOf(seed, purpose, window.id)
    let count = 0
    for (let i = 0; i < positions.length; i++) {
      const probability = probabilities[strata[i]!]!
      if (probability >= 1 || draw(positions[i]!) < probability) taken[count++] = i
    }
    if (count === 0) {
      without[place >>> 3]! |= bit
      return undefined
    }
    const own = { positions: new Uint16Array(count), strata: new Uint16Array(count) }
    for (let i = 0; i < count; i++) {
      own.positions[i] = positions[taken[i]!]!
      own.strata[i] = strata[taken[i]!]!
    }
    return { place, window, ...own }
  }
  const between = (from: number, to: number) =>
    sifted(function* () {
      for (let place = from; place < to; place++) yield at(place)
    })
  return { ...between(0, windows.length), at, between }
}

/** All tokens that could have been taken of some windows, read anew each time. */
export interface Population extends Sifted<EligibleTokens> {
  /** Their positions in the window at a place. */
  at(place: number): Uint16Array
}

/** A shard's share of the work: the selected tokens of consecutive windows. */
export interface ShardPlan {
  readonly number: number
  readonly rows: number
  /** First window index, and the one after the last. */
  readonly windows: readonly [number, number]
  /** Read anew each time. */
  readonly selected: Sifted<SelectedTokens>
  /** For a full pass: all tokens that could have been taken, of these windows and of those before them without any. */
  readonly population?: Population
  /** The window at a place of the dataset. */
  windowAt(place: number): TokenWindow
  /** Tokens that the model reads. */
  readonly passed: number
}

/**
 * Cuts the selected windows into shards of at least `shardRows` rows; the last may have fewer. For a full pass (`everything`)
 * each shard passes over its part of all tokens that could have been taken, too, and the last over the rest. `stop` is
 * called from time to time, and throws where the work is to end.
 */
export async function planShards(
  selection: Selection,
  { windows, windowAt }: Pick<Strata, 'windows' | 'windowAt'>,
  shardRows: number,
  { everything = false, stop }: { readonly everything?: boolean; readonly stop?: PassStep } = {},
): Promise<ShardPlan[]> {
  const reach = (positions?: Uint16Array) => (positions?.at(-1) ?? -1) + 1
  // The place behind each shard's windows, and the window index behind the last that gives rows.
  const cuts: { end: number; to: number; rows: number; passed: number }[] = []
  let [rows, passed, to] = [0, 0, 0]
  const cut = (end: number) => {
    cuts.push({ end, to, rows, passed })
    rows = 0
    passed = 0
  }
  for await (const place of paced(upTo(windows.length), stop)) {
    const taken = selection.at(place)
    passed += reach(everything ? windows.at(place)!.positions : taken?.positions)
    if (!taken) continue
    rows += taken.positions.length
    to = taken.window.index + 1
    if (rows >= shardRows) cut(place + 1)
  }
  if (rows > 0) cut(windows.length)
  const last = cuts.at(-1)
  if (last && last.end < windows.length) Object.assign(last, { end: windows.length, passed: last.passed + passed })
  return cuts.map(({ end, to, rows, passed }, number) => {
    const before = cuts[number - 1] ?? { end: 0, to: 0 }
    const range = [before.end, end] as const
    return {
      ...{ number, rows, passed, windows: [before.to, to] as const, selected: selection.between(...range) },
      ...(everything && { population: eligibleBetween(windows, ...range) }),
      windowAt,
    }
  })
}

/** The windows from one place to another that have tokens which may be taken. */
function eligibleBetween(windows: Strata['windows'], from: number, to: number): Population {
  const eligible = sifted(function* () {
    for (let place = from; place < to; place++) {
      const tokens = windows.at(place)!
      yield tokens.positions.length > 0 ? tokens : undefined
    }
  })
  return { ...eligible, at: place => windows.at(place)!.positions }
}
