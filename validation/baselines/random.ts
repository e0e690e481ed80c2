/** Random directions, encoder and decoder tied: an SAE that learned nothing. */
import { Random } from '../../core/random.ts'
import { randomUnits } from '../claims/tied.ts'
import type { Baseline } from './baseline.ts'
import { tiedSae } from './made.ts'

export const random: Baseline = {
  text: 'random directions',
  byDefault: true,
  drawn: true,
  async make(source) {
    const { material, repetition } = source
    const directions = randomUnits(
      material.sae.latents,
      material.sae.width,
      new Random(material.seed, 'baseline', 'random', repetition),
    )
    const sae = tiedSae(source, directions)
    return { sae, dispose: () => sae.dispose() }
  },
}
