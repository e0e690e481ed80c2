/** How latents fire on discovery text: what matched foreign latents are like the one under test in. */
import { type Activations, firstPosition, valuesOf } from '../../latents/activations.ts'

/** Of one latent beside another. */
export interface FiringLikeness {
  /** Natural logarithms of the share of tokens at which it fires, and of its mean activation there. */
  readonly logDensity: number
  readonly logMean: number
  /** Share of the tokens of the latent under test at which it fires, too: 1 for the latent itself. */
  readonly together: number
}

/** What each of some latents is like beside `latent`, in their order; all of them fire. */
export function likenessOf(
  activations: Activations,
  latent: number,
  others: readonly number[],
): readonly FiringLikeness[] {
  const { offsets, window, position, windows, tokens } = activations
  const start: number[] = []
  let row = 0
  for (const one of windows) {
    start.push(row)
    row += Math.max(0, one.tokens.length - firstPosition)
  }
  const place = (entry: number) => start[window[entry]!]! + position[entry]! - firstPosition
  const fires = new Uint8Array(row)
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) fires[place(e)] = 1
  const own = Math.max(1, offsets[latent + 1]! - offsets[latent]!)
  return others.map(other => {
    const values = valuesOf(activations, other)
    let shared = 0
    for (let e = offsets[other]!; e < offsets[other + 1]!; e++) shared += fires[place(e)]!
    const sum = values.reduce((total, value) => total + Math.abs(value), 0)
    return {
      logDensity: Math.log(Math.max(1, values.length) / Math.max(1, tokens)),
      logMean: Math.log(Math.max(1e-30, sum / Math.max(1, values.length))),
      together: shared / own,
    }
  })
}
