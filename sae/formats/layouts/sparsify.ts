/** sparsify directories: `cfg.json` and `sae.safetensors`; decoder and encoder lie the same way, [latents, width]. */
import { basename, dirname, join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { inBlock } from '../../../core/sites.ts'
import { readConfigFile } from '../files/bounded-file.ts'
import { asNumber, checkK, matrix, readTensors, vector } from '../files/parts.ts'
import { mustKnowKeys } from '../files/said.ts'
import type { Imported, Layout } from './layout.ts'

/** Known by `sae.safetensors`, in a folder named by the hookpoint. */
export const sparsify: Layout = {
  name: 'sparsify',
  find: names => names.filter(name => name === 'sae.safetensors'),
  read: readSparsify,
}

/** Reads a hookpoint's directory that sparsify wrote. */
async function readSparsify(path: string): Promise<Imported> {
  const directory = dirname(path)
  const configPath = join(directory, 'cfg.json')
  const config = await readConfigFile(configPath, 'sparsify config')
  mustKnowKeys(
    config,
    {
      read: ['d_in', 'num_latents', 'expansion_factor', 'k'],
      // Both are of training: the weights are saved as they are used.
      harmless: ['normalize_decoder', 'multi_topk'],
      // `signed`, of the library's first versions, keeps the k largest by absolute value with their signs.
      only: { activation: ['topk'], signed: [true, false], transcode: [true, false], skip_connection: [true, false] },
    },
    configPath,
  )
  const tensors = await readTensors(path)
  const width = asNumber(config.d_in) as number
  const latents = (asNumber(config.num_latents) as number) || Math.round(width * (config.expansion_factor as number))
  if (!Number.isInteger(width) || !Number.isInteger(latents))
    throw new UserError(`${configPath} does not say d_in and the number of latents.`)
  const transcode = config.transcode === true
  const skip = tensors.has('W_skip')
  if (skip !== (config.skip_connection === true) && config.skip_connection !== undefined)
    throw new UserError(
      `${configPath} says that skip_connection is ${config.skip_connection}, but ${path} has ${skip ? 'a' : 'no'} W_skip.`,
    )
  if (skip && !transcode)
    throw new UserError(`${path} is an SAE with a skip connection, which is known of transcoders alone.`, {
      fix: 'Where it predicts a module’s output from its input, set transcode in cfg.json to true.',
    })
  const { input, output } = sitesOf(basename(directory))
  const signed = config.signed === true
  if (signed && transcode)
    throw new UserError(`${configPath} is of a transcoder with signed latents, which is not known.`)
  const sae: Imported = {
    architecture: signed ? 'abstopk' : transcode ? (skip ? 'topk_skip_transcoder' : 'topk_transcoder') : 'topk',
    config: { k: checkK(config.k, latents, path), apply_b_dec_to_input: !transcode, normalize_activations: 'none' },
    params: {
      W_enc: matrix(tensors, 'encoder.weight', [width, latents], true, path),
      b_enc: vector(tensors, 'encoder.bias', latents, path),
      W_dec: matrix(tensors, 'W_dec', [latents, width], false, path),
      b_dec: vector(tensors, 'b_dec', width, path),
      ...(skip ? { W_skip: matrix(tensors, 'W_skip', [width, width], false, path) } : {}),
    },
    metadata: {
      ...(transcode ? { hook_name: input, hook_name_out: output } : { hook_name: output }),
      imported_from: { format: 'sparsify', hookpoint: basename(directory) },
    },
  }
  tensors.mustBeTaken(path)
  return sae
}

/**
 * Sites of what a block, its MLP and its attention are called with and give: an MLP reads after the norm with its gain and bias,
 * and gives what comes before a post-norm; what an attention is called with has no site.
 */
const modules: Readonly<Record<string, { input?: string; output: string }>> = {
  block: { input: 'hook_resid_pre', output: 'hook_resid_post' },
  mlp: { input: 'mlp.hook_in', output: 'mlp.hook_out' },
  attn: { output: 'hook_attn_out' },
  attention: { output: 'hook_attn_out' },
}

/** The sites of a module by its path, such as `layers.3.mlp`; empty where it has none. */
function sitesOf(hookpoint: string): { input: string; output: string } {
  const [, layer, part = 'block'] =
    /^(?:layers|h|transformer\.h|model\.layers|gpt_neox\.layers)\.(\d+)(?:\.(mlp|attn|attention))?$/.exec(hookpoint) ??
    []
  const embedding = ['embed_tokens', 'wte', 'embed_in'].includes(hookpoint) ? 'hook_embed' : ''
  if (layer === undefined) return { input: '', output: embedding }
  const { input, output } = modules[part]!
  return { input: input === undefined ? '' : inBlock(layer, input), output: inBlock(layer, output) }
}
