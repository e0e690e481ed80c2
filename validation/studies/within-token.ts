/** Tokens by what they are and about where they stand, and AUROC among pairs that are alike in both, fast for many latents. */
import { type Activations, firstPosition } from '../../latents/activations.ts'
import type { ConceptLabels } from '../claims/concepts.ts'

/** Positions 1–3, 4–15, 16–63, 64–255 … are one place each. */
export const placeOf = (position: number): number => Math.floor(Math.log2(position) / 2)

/** Places that are told apart; later ones count as the last. */
const places = 8

/** One number for a token and its place. */
export const stratumOf = (token: number, position: number): number =>
  token * places + Math.min(places - 1, placeOf(position))

/** The tokens of some windows in rows, as `ConceptLabels` has them, with their strata's counts. */
export interface TokenStrata {
  readonly rowStart: Uint32Array
  /** By row. */
  readonly stratum: Int32Array
  readonly carries: Uint8Array
  /** By stratum: rows without the concept and with it. */
  readonly counts: ReadonlyMap<number, readonly [number, number]>
}

/** Strata of all rows of the labels' windows, for a concept whose rows are given. */
export function tokenStrata({ windows, rowStart }: ConceptLabels, carries: Uint8Array): TokenStrata {
  const stratum = new Int32Array(carries.length)
  const counts = new Map<number, [number, number]>()
  windows.forEach(({ tokens }, w) => {
    for (let position = firstPosition; position < tokens.length; position++) {
      const row = rowStart[w]! + position - firstPosition
      stratum[row] = stratumOf(tokens[position]!, position)
      const own = counts.get(stratum[row]!) ?? [0, 0]
      counts.set(stratum[row]!, own)
      own[carries[row]!]!++
    }
  })
  return { rowStart, stratum, carries, counts }
}

/** A latent's AUROC within token and place, over tokens at which it ever fires; null where no stratum has both labels. */
export function aurocWithinToken({ offsets, window, position, value }: Activations, latent: number, text: TokenStrata) {
  const { rowStart, stratum, carries, counts } = text
  const active = new Map<number, { value: number; carries: number }[]>()
  const tokens = new Set<number>()
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const row = rowStart[window[e]!]! + position[e]! - firstPosition
    const key = stratum[row]!
    tokens.add(Math.floor(key / places))
    const own = active.get(key) ?? []
    active.set(key, own)
    own.push({ value: value[e]!, carries: carries[row]! })
  }
  let [wins, pairs] = [0, 0]
  for (const token of tokens)
    for (let place = 0; place < places; place++) {
      const [without, holding] = counts.get(token * places + place) ?? [0, 0]
      pairs += without * holding
      if (without * holding > 0) wins += winsOf(active.get(token * places + place) ?? [], without, holding)
    }
  return pairs === 0 ? null : wins / pairs
}

/** Pairs told, ties half, where entries are the active ones of so many rows without the concept and with it. */
function winsOf(
  entries: { readonly value: number; readonly carries: number }[],
  without: number,
  holding: number,
): number {
  entries.sort((a, b) => b.value - a.value)
  // From the highest value down: those without the concept that are still below.
  let [wins, below, left] = [0, without, holding]
  for (let start = 0; start < entries.length; ) {
    const { value } = entries[start]!
    const tied: [number, number] = [0, 0]
    for (; start < entries.length && entries[start]!.value === value; start++) tied[entries[start]!.carries as 0 | 1]++
    below -= tied[0]
    left -= tied[1]
    wins += tied[1] * (below + tied[0] / 2)
  }
  return wins + (left * below) / 2
}
