/**
 * OpenAI's sparse_autoencoder: a PyTorch file `L.pt` or `autoencoder.pt` in a folder such as `resid_post_mlp_v5_32k/autoencoders`.
 *
 *   z = TopK or ReLU(W (x − pre_bias) + latent_bias)          x̂ = z W_dec + pre_bias
 *
 * With TopK each row is first brought to mean 0 and deviation 1, and what it gives back, as in that library.
 */
import { basename } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { inBlock } from '../../../core/sites.ts'
import { checkK, matrix, required, vector } from '../files/parts.ts'
import { mustKnowKeys } from '../files/said.ts'
import { readTorch } from '../files/torch.ts'
import type { Imported, Layout } from './layout.ts'

const layerFile = /^(\d+)\.pt$/

/** Known by `autoencoder.pt`, or `L.pt` without a config of that name. */
export const openai: Layout = {
  name: 'openai',
  find: names =>
    names.filter(name => {
      const layer = layerFile.exec(name)?.[1]
      return name === 'autoencoder.pt' || (layer !== undefined && !names.includes(`${layer}_cfg.json`))
    }),
  read: readOpenai,
  alone: true,
}

async function readOpenai(path: string): Promise<Imported> {
  const { tensors, others } = await readTorch(path)
  mustKnowKeys(Object.fromEntries(others), { read: ['activation', 'activation_state_dict'], only: {} }, path)
  const activation = String(others.get('activation') ?? 'ReLU')
  if (!['TopK', 'ReLU'].includes(activation))
    throw new UserError(`The activation ${quote(activation)} of ${path} is not known.`, {
      fix: 'Known are TopK, ReLU.',
    })
  const latents = required(tensors, 'latent_bias', path).data.length
  const width = required(tensors, 'pre_bias', path).data.length
  const topk = activation === 'TopK'
  const sae: Imported = {
    architecture: topk ? 'topk' : 'standard',
    config: {
      apply_b_dec_to_input: true,
      normalize_activations: topk ? 'layer_norm' : 'none',
      ...(topk ? { k: kOf(others.get('activation_state_dict'), latents, path) } : {}),
    },
    params: {
      W_enc: matrix(tensors, 'encoder.weight', [width, latents], true, path),
      b_enc: vector(tensors, 'latent_bias', latents, path),
      W_dec: matrix(tensors, 'decoder.weight', [latents, width], true, path),
      b_dec: vector(tensors, 'pre_bias', width, path),
    },
    metadata: { ...placeOf(path), imported_from: { format: 'openai', activation } },
  }
  tensors.mustBeTaken(path, ['stats_last_nonzero'])
  return sae
}

/** k of the activation, whose chosen values must be rectified. */
function kOf(state: unknown, latents: number, path: string): number {
  const settings = state instanceof Map ? Object.fromEntries(state) : {}
  mustKnowKeys(settings, { read: ['k'], only: { postact_fn: ['ReLU'] } }, `activation_state_dict of ${path}`)
  return checkK(settings.k, latents, path)
}

/** Sites by the names of the release's folders. */
const sites: Readonly<Record<string, string>> = {
  resid_post_mlp: 'hook_resid_post',
  resid_post_attn: 'hook_resid_mid',
  resid_delta_mlp: 'hook_mlp_out',
  resid_delta_attn: 'hook_attn_out',
  mlp_post_act: 'mlp.hook_post',
}

function placeOf(path: string): { hook_name: string; model_name?: string } {
  const layer = layerFile.exec(basename(path))?.[1]
  const site = Object.keys(sites).find(name => path.replaceAll('-', '_').includes(name))
  const model = /gpt2[-_]small/.test(path) ? { model_name: 'gpt2' } : {}
  return { hook_name: layer !== undefined && site ? inBlock(layer, sites[site]!) : '', ...model }
}
