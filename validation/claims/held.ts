/**
 * How much of what a latent writes is there. Ablation takes f · d from the values, and tied controls take no more than text holds
 * along their directions. A latent whose decoder row is long for what text holds (an SAE that learned nothing, with its decoder scaled
 * up) or points away from it pushes values to where no text has them, and would beat such controls by that alone.
 */
import { type Activations, firstPosition } from '../../latents/activations.ts'
import type { SiteValues } from '../../latents/projections.ts'

/** Less than this share, and a claim cannot pass: the edit is more than half of the latent's own making. */
export const leastHeld = 0.5

/**
 * Σ max(0, sgn f · (x − centre) · d) by Σ |f| · ‖d‖², over the tokens at which the latent is active; `row` is d, its decoder row. Null
 * where the latent writes nothing. The values must be of the windows that the activations are of.
 */
export function heldShare(site: SiteValues, found: Activations, latent: number, row: Float32Array): number | null {
  const { width, values } = site
  let square = 0
  for (const value of row) square += value * value
  const starts = rowStarts(site)
  let [held, written] = [0, 0]
  for (let entry = found.offsets[latent]!; entry < found.offsets[latent + 1]!; entry++) {
    const at = (starts[found.window[entry]!]! + found.position[entry]! - firstPosition) * width
    let along = 0
    for (let j = 0; j < width; j++) along += values[at + j]! * row[j]!
    const value = found.value[entry]!
    held += Math.max(0, Math.sign(value) * along)
    written += Math.abs(value) * square
  }
  return written > 0 ? held / written : null
}

const known = new WeakMap<SiteValues, Float64Array>()

/** The first row of each window. */
function rowStarts(site: SiteValues): Float64Array {
  const before = known.get(site)
  if (before) return before
  const starts = new Float64Array(site.windows.length)
  let row = 0
  site.windows.forEach(({ tokens }, w) => {
    starts[w] = row
    row += Math.max(0, tokens.length - firstPosition)
  })
  known.set(site, starts)
  return starts
}
