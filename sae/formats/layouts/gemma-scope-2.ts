/**
 * Gemma Scope 2: `config.json` and `params.safetensors`, a JumpReLU on raw activations of Gemma 3, or a transcoder, with an
 * affine path beside its latents or without (`affine_skip_connection`, [width, outputs]).
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { inBlock } from '../../../core/sites.ts'
import type { SaeMetadata } from '../../sae.ts'
import { readConfigFile } from '../files/bounded-file.ts'
import { matrix, readTensors, required, vector } from '../files/parts.ts'
import { mustKnowKeys } from '../files/said.ts'
import type { Imported, Layout } from './layout.ts'

/** Known by `params.safetensors`. */
export const gemmaScope2: Layout = {
  name: 'gemma-scope-2',
  find: names => names.filter(name => name === 'params.safetensors'),
  read: readGemmaScope2,
}

/** What `config.json` says; where there is none, the names of the folders do. */
export interface GemmaScope2Config {
  readonly type: string
  readonly affine?: boolean
  readonly input: string
  readonly output: string
  readonly model?: string
}

async function readGemmaScope2(path: string): Promise<Imported> {
  const config = await readGemmaScope2Config(dirname(path))
  if (!['sae', 'transcoder'].includes(config.type))
    throw new UserError(`${path} is a ${quote(config.type)} of Gemma Scope 2; SAEs, transcoders and CLTs are read.`)
  const tensors = await readTensors(path)
  const transcoder = config.type === 'transcoder'
  const latents = required(tensors, 'b_enc', path).data.length
  const outputs = required(tensors, 'b_dec', path).data.length
  const [rows, columns] = required(tensors, 'w_enc', path).shape
  const width = columns === latents ? rows! : columns!
  const skip = tensors.has('affine_skip_connection')
  if (config.affine !== undefined && config.affine !== skip)
    throw new UserError(
      `The config.json beside ${path} says affine_connection is ${config.affine}, but the weights have ${skip ? 'one' : 'none'}.`,
    )
  if (skip && !transcoder)
    throw new UserError(`${path} is an SAE with an affine connection, which is known of transcoders alone.`)
  const architecture = transcoder ? (skip ? 'jumprelu_skip_transcoder' : 'jumprelu_transcoder') : 'jumprelu'
  const sae: Imported = {
    architecture,
    config: { apply_b_dec_to_input: false, normalize_activations: 'none' },
    params: {
      W_enc: matrix(tensors, 'w_enc', [width, latents], false, path),
      b_enc: vector(tensors, 'b_enc', latents, path),
      W_dec: matrix(tensors, 'w_dec', [latents, outputs], false, path),
      b_dec: vector(tensors, 'b_dec', outputs, path),
      threshold: vector(tensors, 'threshold', latents, path),
      ...(skip ? { W_skip: matrix(tensors, 'affine_skip_connection', [outputs, width], true, path) } : {}),
    },
    metadata: {
      hook_name: siteOf(config.input),
      ...(transcoder ? { hook_name_out: siteOf(config.output) } : {}),
      ...gemma3(config),
    },
  }
  tensors.mustBeTaken(path)
  return sae
}

/** What all SAEs of the release share. */
export function gemma3({ model }: GemmaScope2Config): Omit<SaeMetadata, 'hook_name'> {
  return {
    ...(model === undefined ? {} : { model_name: model }),
    context_size: 1024,
    prepend_bos: true,
    imported_from: { format: 'gemma-scope-2' },
  }
}

/** Reads `config.json` of a folder; some of the release's folders have none, and say by their names what they hold. */
export async function readGemmaScope2Config(directory: string): Promise<GemmaScope2Config> {
  const path = join(directory, 'config.json')
  if (!existsSync(path)) return byName(directory)
  const config = await readConfigFile(path, 'Gemma Scope 2 config')
  mustKnowKeys(
    config,
    {
      read: ['type', 'affine_connection', 'hf_hook_point_in', 'hf_hook_point_out', 'model_name'],
      harmless: ['width', 'l0'],
      only: { architecture: ['jump_relu'] },
    },
    path,
  )
  const text = (key: string) => (typeof config[key] === 'string' ? (config[key] as string) : '')
  const [input, output, model] = ['hf_hook_point_in', 'hf_hook_point_out', 'model_name'].map(text) as [
    string,
    string,
    string,
  ]
  const apart = output !== '' && output !== input
  const type = text('type') || (apart ? 'transcoder' : 'sae')
  if (type === 'sae' && apart)
    throw new UserError(`${path} says that an SAE reads ${quote(input)} and gives ${quote(output)}.`)
  const affine = typeof config.affine_connection === 'boolean' ? { affine: config.affine_connection } : {}
  return { type, input, output: output || input, ...affine, ...(model === '' ? {} : { model }) }
}

function byName(directory: string): GemmaScope2Config {
  const layer = /layer_(\d+)/.exec(directory)?.[1]
  const at = (module: string) => (layer === undefined ? '' : `layers.${layer}.${module}`)
  const affine = { affine: /affine/.test(directory) }
  if (/crosscoder/.test(directory)) return { type: 'crosscoder', input: '', output: '' }
  const mlp = { input: at('pre_feedforward_layernorm.output'), output: at('post_feedforward_layernorm.output') }
  if (/[/_]clt[/_]/.test(directory)) return { type: 'clt', ...affine, ...mlp }
  if (/transcoder/.test(directory)) return { type: 'transcoder', ...affine, ...mlp }
  const modules: readonly [RegExp, string][] = [
    [/resid_post/, 'output'],
    [/attn_out/, 'self_attn.o_proj.input'],
    [/mlp_out/, 'post_feedforward_layernorm.output'],
  ]
  const module = modules.find(([name]) => name.test(directory))?.[1]
  const input = module === undefined ? '' : at(module)
  return { type: 'sae', input, output: input }
}

/** Sites of the modules of Gemma 3 in transformers. */
const sites: Readonly<Record<string, string>> = {
  output: 'hook_resid_post',
  'self_attn.o_proj.input': 'attn.hook_z',
  'post_attention_layernorm.output': 'hook_attn_out',
  'pre_feedforward_layernorm.output': 'mlp.hook_in',
  'mlp.output': 'mlp.hook_out',
  'post_feedforward_layernorm.output': 'hook_mlp_out',
}

/** The site of a module's input or output, `model.layers.3.output`; empty where it is none. */
export function siteOf(hook: string): string {
  const [, layer, module] = /(?:^|\.)layers\.(\d+)\.(.+)$/.exec(hook) ?? []
  return layer !== undefined && Object.hasOwn(sites, module!) ? inBlock(layer, sites[module!]!) : ''
}
