/** The nearest latents of each latent: by the direction that they write, and by the tokens at which they fire. */
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Activations } from '../../latents/activations.ts'
import { unit } from '../../sae/measure/matching.ts'
import type { Feature } from '../feature.ts'

/** Entries of the products that are there at once. */
const productEntries = 16_000_000

/** Decoder rows [latents, width] as unit vectors. */
export const directionsOf = (decoder: Tensor2D): Tensor2D => tf.tidy(() => unit(decoder))

/** Rows from `from` up to but not including `to`. */
export interface Rows {
  readonly from: number
  readonly to: number
}

/**
 * The `count` other latents whose unit directions [latents, width] have the largest cosine with that of each latent of some
 * rows, largest first. Every pair is looked at, a block of `entries` products at a time: latents² · width multiplications for
 * all, none of which is kept.
 */
export function* nearestByDecoder(
  directions: Tensor2D,
  count: number,
  { from, to }: Rows,
  entries = productEntries,
): Generator<Feature['nearest']> {
  const latents = directions.shape[0]
  const most = Math.min(count, latents - 1)
  const chunk = Math.max(1, Math.floor(entries / latents))
  for (let start = from; start < to; start += chunk) {
    const size = Math.min(chunk, to - start)
    const { values, indices } = tf.tidy(() => {
      const found = tf.topk(tf.matMul(directions.slice([start, 0], [size, -1]), directions, false, true), most + 1)
      return { values: found.values.dataSync<'float32'>(), indices: found.indices.dataSync<'int32'>() }
    })
    for (let row = 0; row < size; row++) {
      const near: Feature['nearest'] = []
      for (let i = row * (most + 1); near.length < most && i < (row + 1) * (most + 1); i++)
        if (indices[i] !== start + row)
          near.push({ latent: indices[i]!, cosine: Math.min(1, Math.max(-1, values[i]!)) })
      yield near
    }
  }
}

/** Which latents fire at each token, for `together`: entries of token t are `offsets[t] … offsets[t + 1]`. */
export interface ByToken {
  /** Place of each window's first token. */
  readonly starts: Float64Array
  readonly offsets: Float64Array
  readonly latents: Uint32Array
}

/** Activations turned back so that each token's latents are together. */
export function byToken({ windows, offsets, window, position, latents }: Activations): ByToken {
  const starts = new Float64Array(windows.length + 1)
  windows.forEach(({ tokens }, w) => {
    starts[w + 1] = starts[w]! + tokens.length
  })
  const places = new Float64Array(starts[windows.length]! + 1)
  for (let e = 0; e < window.length; e++) places[starts[window[e]!]! + position[e]! + 1]!++
  for (let t = 1; t < places.length; t++) places[t]! += places[t - 1]!
  const next = Float64Array.from(places)
  const of = new Uint32Array(window.length)
  for (let latent = 0; latent < latents; latent++)
    for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++)
      of[next[starts[window[e]!]! + position[e]!]!++] = latent
  return { starts, offsets: places, latents: of }
}

/** Tokens of a latent that are looked at, evenly spread over those at which it fires. */
const mostTokens = 1000

/** Room for counting latents, which is used again and again. */
export interface Counter {
  /** Zeros by latent, and left so. */
  readonly counts: Uint32Array
  /** Latents that were counted, as many as there are. */
  readonly touched: Uint32Array
}

export const counterOf = (latents: number): Counter => ({
  counts: new Uint32Array(latents),
  touched: new Uint32Array(latents),
})

/**
 * The `count` other latents that fire at the same tokens as a latent, by Jaccard's index. Of a latent that fires at more than
 * 1,000 tokens as many are looked at, and the index is what they let expect.
 */
export function firingTogether(
  { offsets, window, position }: Activations,
  latent: number,
  count: number,
  { starts, offsets: places, latents: of }: ByToken,
  { counts, touched }: Counter,
): Feature['together'] {
  const start = offsets[latent]!
  const fires = offsets[latent + 1]! - start
  const looked = Math.min(fires, mostTokens)
  let different = 0
  for (let i = 0; i < looked; i++) {
    const e = start + Math.floor((i * fires) / looked)
    const token = starts[window[e]!]! + position[e]!
    const end = places[token + 1]!
    for (let at = places[token]!; at < end; at++) {
      const other = of[at]!
      if (counts[other]!++ === 0) touched[different++] = other
    }
  }
  // Only the best few are kept as records, sorted as they come: most latents meet most others somewhere.
  const best: Feature['together'] = []
  for (let i = 0; i < different; i++) {
    const other = touched[i]!
    const share = counts[other]! / looked
    counts[other] = 0
    if (other === latent) continue
    const both = share * fires
    const others = offsets[other + 1]! - offsets[other]!
    const jaccard = Math.min(1, both / Math.max(both, fires + others - both))
    let place = best.length
    while (place > 0 && isBefore(jaccard, other, best[place - 1]!)) place--
    if (place === count) continue
    best.splice(place, 0, { latent: other, share, jaccard })
    if (best.length > count) best.pop()
  }
  return best
}

const isBefore = (jaccard: number, latent: number, other: Feature['together'][number]) =>
  jaccard > other.jaccard || (jaccard === other.jaccard && latent < other.latent)
