/** Gemma Scope files: `params.npz` under `layer_L/width_W/average_l0_N`; a JumpReLU that reads raw activations. */
import { UserError } from '../../core/errors.ts'
import { readNpz } from './npz.ts'
import type { Numbers } from './numbers.ts'
import { type Imported, matrix, required, vector } from './parts.ts'

/** Reads `params.npz`; some files spell weights in lower case. */
export async function readGemmaScope(path: string): Promise<Imported> {
  const tensors = new Map<string, Numbers>()
  for (const [name, numbers] of await readNpz(path)) tensors.set(name.replace(/^w_/, 'W_'), numbers)
  const width = required(tensors, 'b_dec', path).data.length
  const latents = required(tensors, 'b_enc', path).data.length
  const decoder = matrix(tensors, 'W_dec', [latents, width], false, path)
  const scale = tensors.get('scaling_factor')
  if (scale && scale.data.length !== latents)
    throw new UserError(`scaling_factor in ${path} has not one value a latent.`)
  return {
    architecture: 'jumprelu',
    config: { apply_b_dec_to_input: false, normalize_activations: 'none' },
    params: {
      W_enc: matrix(tensors, 'W_enc', [width, latents], false, path),
      b_enc: vector(tensors, 'b_enc', latents, path),
      W_dec: scale
        ? { shape: decoder.shape, data: decoder.data.map((value, i) => value * scale.data[Math.floor(i / width)]!) }
        : decoder,
      b_dec: vector(tensors, 'b_dec', width, path),
      threshold: vector(tensors, 'threshold', latents, path),
    },
    metadata: { ...place(path), context_size: 1024, prepend_bos: true, imported_from: { format: 'gemma-scope' } },
  }
}

/** Model and site, from the names of the folders it lies in. */
function place(path: string): { hook_name: string; model_name?: string } {
  const layer = /layer_(\d+)\//.exec(path)?.[1]
  const [, size, kind, part] = /gemma-scope-(2b|9b|27b)-(pt|it)-(res|mlp|att)\b/.exec(path) ?? []
  if (layer === undefined || part === undefined) return { hook_name: '' }
  const site = { res: 'hook_resid_post', mlp: 'hook_mlp_out', att: 'attn.hook_z' }[part]!
  return { hook_name: `blocks.${layer}.${site}`, model_name: `gemma-2-${size}${kind === 'it' ? '-it' : ''}` }
}
