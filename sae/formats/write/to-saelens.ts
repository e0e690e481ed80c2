/** Writes SAELens directories: `cfg.json`, `sae_weights.safetensors` and, where densities are known, `sparsity.safetensors`. */
import { join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { writeJson } from '../../../core/files.ts'
import { writeSafetensors } from '../../../engine/safetensors.ts'
import { saelensConfig } from '../saelens/config.ts'
import { mustKnow, type Portable, withInputBias } from './portable.ts'

const saes = ['standard', 'topk', 'jumprelu', 'gated', 'abstopk', 'matching_pursuit']
const transcoders = ['transcoder', 'skip_transcoder', 'jumprelu_transcoder', 'jumprelu_skip_transcoder']

/** The architectures that SAELens opens for inference; its transcoders never take the decoder bias from the input. */
export async function writeSaelens(directory: string, sae: Portable): Promise<void> {
  mustKnow(sae, 'saelens', [...saes, ...transcoders])
  const written = transcoders.includes(sae.architecture) ? withInputBias(sae, false) : sae
  if (written.width !== written.outputs && !transcoders.includes(written.architecture))
    throw new UserError(
      `SAELens has no ${sae.architecture} SAE of width ${sae.width} that gives ${sae.outputs} values.`,
    )
  await writeSafetensors(join(directory, 'sae_weights.safetensors'), written.params)
  if (written.sparsity)
    await writeSafetensors(join(directory, 'sparsity.safetensors'), {
      sparsity: { shape: [written.latents], data: written.sparsity },
    })
  await writeJson(join(directory, 'cfg.json'), saelensConfig(written))
}
