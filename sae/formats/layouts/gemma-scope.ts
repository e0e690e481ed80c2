/**
 * Gemma Scope files: `params.npz` under `layer_L/width_W/average_l0_N`, a JumpReLU that reads raw activations. Model and site
 * are in the names of the folders above it: `gemma-scope-2b-pt-res`, `-mlp`, `-att`, and `-transcoders`, whose latents read
 * the MLP's input after the norm and before its gain and predict what the MLP adds to the stream.
 */
import { basename } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { inBlock } from '../../../core/sites.ts'
import { scaleRows } from '../../../engine/torch/numbers.ts'
import type { SaeMetadata } from '../../sae.ts'
import { readNpz } from '../files/npz.ts'
import { matrix, required, Tensors, vector } from '../files/parts.ts'
import type { Imported, Layout } from './layout.ts'

/** Known by `params.npz`. */
export const gemmaScope: Layout = {
  name: 'gemma-scope',
  find: names => names.filter(name => name === 'params.npz'),
  read: readGemmaScope,
  alone: true,
}

/** Reads `params.npz`; some files spell weights in lower case. */
async function readGemmaScope(path: string): Promise<Imported> {
  const tensors = new Tensors()
  for (const [name, numbers] of await readNpz(path)) tensors.set(name.replace(/^w_/, 'W_'), numbers)
  const outputs = required(tensors, 'b_dec', path).data.length
  const latents = required(tensors, 'b_enc', path).data.length
  const { transcoder, embedding, ...place } = placeOf(path)
  const width = transcoder ? widthOf(tensors, latents, path) : outputs
  const decoder = matrix(tensors, 'W_dec', [latents, outputs], false, path)
  const scale = tensors.get('scaling_factor')
  if (scale && scale.data.length !== latents)
    throw new UserError(`scaling_factor in ${path} has not one value a latent.`)
  const sae: Imported = {
    architecture: transcoder ? 'jumprelu_transcoder' : 'jumprelu',
    config: { apply_b_dec_to_input: false, normalize_activations: 'none' },
    params: {
      W_enc: matrix(tensors, 'W_enc', [width, latents], false, path),
      b_enc: vector(tensors, 'b_enc', latents, path),
      W_dec: scale ? { ...decoder, data: scaleRows(decoder, scale.data) } : decoder,
      b_dec: vector(tensors, 'b_dec', outputs, path),
      threshold: vector(tensors, 'threshold', latents, path),
    },
    metadata: { ...place, context_size: 1024, prepend_bos: true, imported_from: { format: 'gemma-scope' } },
    ...(embedding
      ? {
          notices: [
            `${basename(path)} reads embeddings as they are stored; hook_embed is those times √width in Gemma, so that no site is set.`,
          ],
        }
      : {}),
  }
  tensors.mustBeTaken(path)
  return sae
}

/** Width of a transcoder's input, which its encoder shows. */
function widthOf(tensors: Tensors, latents: number, path: string): number {
  const [rows, columns] = required(tensors, 'W_enc', path).shape
  return columns === latents ? rows! : columns!
}

type Place = Pick<SaeMetadata, 'hook_name' | 'model_name'> & {
  transcoder: boolean
  embedding: boolean
  hook_name_out?: string
}

/** Model and site, from the names of the folders it lies in. */
function placeOf(path: string): Place {
  const layer = /(?:^|[/_])layer_(\d+)(?=[/_])/.exec(path)?.[1]
  const [, size, kind, part] = /gemma-scope-(2b|9b|27b)-(pt|it)-(res|mlp|att|transcoders)(?![a-z])/.exec(path) ?? []
  const transcoder = part === 'transcoders' || (part === undefined && /transcoder/.test(path))
  const embedding = part === 'res' && /[/_]embedding[/_]/.test(path)
  const model = size === undefined ? {} : { model_name: `gemma-2-${size}${kind === 'it' ? '-it' : ''}` }
  const at = (site: string) => (layer === undefined ? '' : inBlock(layer, site))
  const found = { transcoder, embedding, ...model }
  if (transcoder) return { ...found, hook_name: at('ln2.hook_normalized'), hook_name_out: at('hook_mlp_out') }
  const sites: Record<string, string> = { res: 'hook_resid_post', mlp: 'hook_mlp_out', att: 'attn.hook_z' }
  return { ...found, hook_name: part === undefined || embedding ? '' : at(sites[part]!) }
}
