/** sparsify directories: `cfg.json` and `sae.safetensors`; decoder and encoder lie the same way, [latents, width]. */
import { basename, join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { quote } from '../../core/quote.ts'
import { openSafetensors } from '../../engine/safetensors.ts'
import { mustBeFile, readConfigFile } from './bounded-file.ts'
import type { Numbers } from './numbers.ts'
import { checkK, type Imported, matrix, vector } from './parts.ts'

/** Reads a hookpoint's directory that sparsify wrote. */
export async function readSparsify(directory: string): Promise<Imported> {
  const config = await readConfigFile(join(directory, 'cfg.json'), 'sparsify config')
  const path = join(directory, 'sae.safetensors')
  const tensors = new Map<string, Numbers>()
  await mustBeFile(path, 'safetensors file')
  const file = await openSafetensors(path)
  try {
    for (const name of file.names) tensors.set(name, { shape: file.shape(name), data: await file.read(name) })
  } finally {
    await file.close()
  }
  if (config.activation !== undefined && config.activation !== 'topk')
    throw new UserError(`The sparsify activation ${quote(String(config.activation))} is not known.`, {
      fix: 'Known is topk.',
    })
  const width = config.d_in as number
  const latents = (config.num_latents as number) || width * (config.expansion_factor as number)
  if (!Number.isInteger(width) || !Number.isInteger(latents))
    throw new UserError(`${join(directory, 'cfg.json')} does not say d_in and the number of latents.`)
  const transcode = config.transcode === true
  const skip = tensors.has('W_skip')
  return {
    architecture: transcode ? (skip ? 'topk_skip_transcoder' : 'topk_transcoder') : 'topk',
    config: { k: checkK(config.k, latents, path), apply_b_dec_to_input: !transcode, normalize_activations: 'none' },
    params: {
      W_enc: matrix(tensors, 'encoder.weight', [width, latents], true, path),
      b_enc: vector(tensors, 'encoder.bias', latents, path),
      W_dec: matrix(tensors, 'W_dec', [latents, width], false, path),
      b_dec: vector(tensors, 'b_dec', width, path),
      ...(skip ? { W_skip: matrix(tensors, 'W_skip', [width, width], false, path) } : {}),
    },
    metadata: {
      hook_name: siteOf(basename(directory), transcode),
      ...(transcode ? { hook_name_out: siteOf(basename(directory), false) } : {}),
      imported_from: { format: 'sparsify', hookpoint: basename(directory) },
    },
  }
}

/** The site a module path stands for: a block's output, its MLP, or the embedding. */
function siteOf(hookpoint: string, asInput: boolean): string {
  const [, layer, part] = /^(?:layers|h|transformer\.h|model\.layers)\.(\d+)(?:\.(mlp))?$/.exec(hookpoint) ?? []
  if (layer === undefined) return hookpoint === 'embed_tokens' || hookpoint === 'wte' ? 'hook_embed' : ''
  if (part === 'mlp') return asInput ? `blocks.${layer}.hook_mlp_in` : `blocks.${layer}.hook_mlp_out`
  return asInput ? `blocks.${layer}.hook_resid_pre` : `blocks.${layer}.hook_resid_post`
}
