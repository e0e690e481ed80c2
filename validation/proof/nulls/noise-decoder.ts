/** The trained encoder with noise for a decoder that varies as the values at the site do. */
import { Random } from '../../../core/random.ts'
import type { Null } from '../case.ts'
import { withDecoder } from '../changed-sae.ts'
import { siteOf } from '../tied-sae.ts'

export const noiseDecoder: Null = {
  text: 'trained encoder, noise with the site’s covariance for a decoder',
  async make(world, seed) {
    const { sae } = world
    const { values, tokens, width } = (await siteOf(world)).values
    const random = new Random(seed, 'noise decoder')
    const rows = new Float32Array(sae.latents * width)
    for (let latent = 0; latent < sae.latents; latent++) {
      // Sums of rows with normal weights vary as the rows do.
      const row = rows.subarray(latent * width, (latent + 1) * width)
      for (let i = 0; i < 2 * width; i++) {
        const [from, weight] = [random.int(tokens) * width, random.normal()]
        for (let j = 0; j < width; j++) row[j]! += weight * values[from + j]!
      }
      const norm = Math.hypot(...row)
      for (let j = 0; j < width; j++) row[j]! /= norm
    }
    return { sae: withDecoder(sae, rows, `noise-${seed}`), dispose() {} }
  },
}
