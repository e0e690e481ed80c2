/** The trained encoder with random unit rows for a decoder: it tells all that the trained SAE tells, and writes anything. */
import { Random } from '../../../core/random.ts'
import { randomUnits } from '../../claims/tied.ts'
import type { Null } from '../case.ts'
import { withDecoder } from '../changed-sae.ts'

export const randomDecoder: Null = {
  text: 'trained encoder, random decoder',
  async make({ sae }, seed) {
    const rows = randomUnits(sae.latents, sae.outputs, new Random(seed, 'random decoder'))
    return { sae: withDecoder(sae, rows, `random-${seed}`), dispose() {} }
  },
}
