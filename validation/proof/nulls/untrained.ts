/** An SAE that learned nothing: random directions, encoder and decoder tied, as dense as the trained latents are. */
import { Random } from '../../../core/random.ts'
import { randomUnits } from '../../claims/tied.ts'
import type { Null } from '../case.ts'
import { tiedSaeLike } from '../tied-sae.ts'

export const untrained: Null = {
  text: 'untrained SAE, encoder and decoder tied',
  async make(world, seed) {
    const { latents, width } = world.sae
    const sae = await tiedSaeLike(
      world,
      randomUnits(latents, width, new Random(seed, 'untrained')),
      `untrained-${seed}`,
    )
    return { sae, dispose: () => sae.dispose() }
  },
}
