/**
 * Which tokens are taken: each independently, with its stratum's inclusion probability (Poisson sampling), decided by a
 * hash of seed, window and position, so that neither order nor batching matters. A row's weight is 1 / probability, and
 * weighted sums over the rows estimate sums over the population without bias (Horvitz and Thompson 1952).
 */
import { uniformOf } from '../core/random.ts'
import type { EligibleTokens, Strata } from './strata.ts'

/** A window's tokens that were taken: position and stratum of each. */
export type SelectedTokens = EligibleTokens

/**
 * The tokens of each window that are taken; windows without any are left out. Draws for different purposes are
 * independent of each other.
 */
export function selectTokens(
  strata: Strata,
  probabilities: readonly number[],
  seed: number,
  purpose: 'capture' | 'pilot' = 'capture',
): SelectedTokens[] {
  return strata.windows.flatMap(({ window, positions, strata: own }) => {
    const taken = Array.from(positions.keys()).filter(i => {
      const probability = probabilities[own[i]!]!
      return probability >= 1 || uniformOf(seed, purpose, window.id, positions[i]!) < probability
    })
    if (taken.length === 0) return []
    if (taken.length === positions.length) return [{ window, positions, strata: own }]
    return [
      {
        window,
        positions: Uint16Array.from(taken, i => positions[i]!),
        strata: Uint16Array.from(taken, i => own[i]!),
      },
    ]
  })
}

/** A shard's share of the work: the selected tokens of consecutive windows. */
export interface ShardPlan {
  readonly number: number
  readonly rows: number
  /** First window index, and the one after the last. */
  readonly windows: readonly [number, number]
  readonly selected: readonly SelectedTokens[]
  /** For a full pass: all tokens that could have been taken, of these windows and of those before them without any. */
  readonly population?: readonly EligibleTokens[]
}

/**
 * Cuts the selected windows into shards of at least `shardRows` rows; the last may have fewer. Where all that could have
 * been taken is given too (in the same order), each shard passes over its part of it, the last over the rest.
 */
export function planShards(
  selected: readonly SelectedTokens[],
  shardRows: number,
  everything?: readonly EligibleTokens[],
): ShardPlan[] {
  const shards: ShardPlan[] = []
  let group: SelectedTokens[] = []
  let rows = 0
  let from = 0
  const close = () => {
    const to = group[group.length - 1]!.window.index + 1
    shards.push({ number: shards.length, rows, windows: [from, to], selected: group })
    group = []
    rows = 0
    from = to
  }
  for (const tokens of selected) {
    group.push(tokens)
    rows += tokens.positions.length
    if (rows >= shardRows) close()
  }
  if (rows > 0) close()
  if (!everything) return shards
  let next = 0
  return shards.map((shard, i) => {
    const last = shard.selected.at(-1)!.window
    const end = i === shards.length - 1 ? everything.length : everything.findIndex(({ window }) => window === last) + 1
    const population = everything.slice(next, end).filter(({ positions }) => positions.length > 0)
    next = end
    return { ...shard, population }
  })
}
