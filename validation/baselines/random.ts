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
    const { study, repetition } = source
    const directions = randomUnits(
      study.sae.latents,
      study.sae.width,
      new Random(study.seed, 'baseline', 'random', repetition),
    )
    const sae = tiedSae(source, directions)
    return { sae, dispose: () => sae.dispose() }
  },
}
