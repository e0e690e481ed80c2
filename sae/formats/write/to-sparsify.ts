/** Writes sparsify directories: a folder named by the hookpoint with `cfg.json` and `sae.safetensors`. */
import { join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { writeJson } from '../../../core/files.ts'
import { writeSafetensors } from '../../../engine/safetensors.ts'
import { type Numbers, transposed } from '../../../engine/torch/numbers.ts'
import { hookpointOf } from './hookpoint.ts'
import { mustHold, type Portable, withInputBias, withoutRescaling } from './portable.ts'

/** TopK SAEs and TopK transcoders whose output is as wide as their input. */
export async function writeSparsify(directory: string, given: Portable): Promise<void> {
  mustHold(given, 'sparsify', ['topk', 'topk_transcoder', 'topk_skip_transcoder'])
  if (given.width !== given.outputs)
    throw new UserError(
      `The sparsify format cannot hold a transcoder from width ${given.width} to ${given.outputs}: it keeps one width.`,
    )
  const transcode = given.architecture !== 'topk'
  const sae = withInputBias(withoutRescaling(given), !transcode)
  const { W_enc, b_enc, W_dec, b_dec, W_skip } = sae.params as Record<string, Numbers | undefined>
  const folder = join(directory, hookpointOf(String(sae.metadata.hook_name_out ?? sae.metadata.hook_name)))
  await writeSafetensors(join(folder, 'sae.safetensors'), {
    'encoder.weight': transposed(W_enc!),
    'encoder.bias': b_enc!,
    W_dec: W_dec!,
    b_dec: b_dec!,
    ...(W_skip ? { W_skip } : {}),
  })
  await writeJson(join(folder, 'cfg.json'), {
    activation: 'topk',
    expansion_factor: Math.max(1, Math.floor(sae.latents / sae.width)),
    // A setting of training; what is written here is read as it is.
    normalize_decoder: !transcode,
    num_latents: sae.latents,
    k: sae.config.k,
    multi_topk: false,
    skip_connection: W_skip !== undefined,
    transcode,
    d_in: sae.width,
  })
}
