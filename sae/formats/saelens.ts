/**
 * SAELens directories: `cfg.json`, `sae_weights.safetensors` and optionally `sparsity.safetensors`.
 *
 * Version 6 names the architecture and keeps what belongs to the model under `metadata`; what is older is flat, with
 * `hook_point` and `activation_fn_str`, and is read as SAELens itself converts it. Our own fields are under `metadata`.
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { readJson, writeJson } from '../../core/files.ts'
import { hashValue, sha256File } from '../../core/hash.ts'
import { openSafetensors, type SafetensorsFile, writeSafetensors } from '../../engine/safetensors.ts'
import { type Tensor, tf } from '../../engine/tf.ts'
import { activationOf, inferenceArchitectures, tensorShapes } from '../inference.ts'
import { checkShapes, makeSae } from '../make.ts'
import type { Sae, SaeMetadata } from '../sae.ts'

/** What a saved SAE is made of; tensors stay the caller's. */
export interface SavedSae {
  readonly architecture: string
  readonly config: Readonly<Record<string, unknown>>
  readonly params: Readonly<Record<string, Tensor>>
  readonly metadata: SaeMetadata
  /** Share of rows on which each latent fired, kept as its logarithm to base 10 in `sparsity.safetensors`. */
  readonly density?: ArrayLike<number>
}

/** Writes an SAE in SAELens's layout into `directory`. Equal SAEs give equal bytes. */
export async function saveSae(directory: string, sae: SavedSae): Promise<void> {
  const { width, latents, outputs } = checkShapes(sae.architecture, sae.params)
  const tensors: Record<string, { shape: number[]; data: Float32Array }> = {}
  for (const [name, tensor] of Object.entries(sae.params))
    tensors[name] = { shape: tensor.shape, data: (await tensor.data()) as Float32Array }
  await writeSafetensors(join(directory, 'sae_weights.safetensors'), tensors)
  if (sae.density) {
    const data = Float32Array.from(sae.density, share => Math.log10(share + 1e-10))
    await writeSafetensors(join(directory, 'sparsity.safetensors'), { sparsity: { shape: [latents], data } })
  }
  const { architecture, ...rest } = sae.config
  await writeJson(join(directory, 'cfg.json'), {
    architecture: sae.architecture,
    d_in: width,
    d_sae: latents,
    ...(outputs !== width || sae.architecture.includes('transcoder') ? { d_out: outputs } : {}),
    dtype: 'float32',
    device: 'cpu',
    reshape_activations: 'none',
    ...rest,
    metadata: sae.metadata,
  })
}

/** Opens an SAE that SAELens or this project saved. Every malformed directory is a `UserError`. */
export async function loadSae(directory: string): Promise<Sae> {
  const raw = await readJson(join(directory, 'cfg.json'), 'SAE config')
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw))
    throw new UserError(`${join(directory, 'cfg.json')} must hold an object.`)
  const { architecture, config, metadata } = readConfig(raw as Record<string, unknown>)
  const path = join(directory, 'sae_weights.safetensors')
  const file = await openSafetensors(path)
  try {
    const params = await readParams(file, path, architecture, config)
    const hash = hashValue({ config: raw, weights: await sha256File(path) })
    return makeSae({ architecture, config, metadata, params, hash })
  } finally {
    await file.close()
  }
}

/** log10 densities of a saved SAE, or undefined where it has none. */
export async function loadSparsity(directory: string): Promise<Float32Array | undefined> {
  const path = join(directory, 'sparsity.safetensors')
  try {
    await access(path)
  } catch {
    return undefined
  }
  const file = await openSafetensors(path)
  try {
    return await file.read('sparsity')
  } finally {
    await file.close()
  }
}

async function readParams(
  file: SafetensorsFile,
  path: string,
  architecture: string,
  config: Record<string, unknown>,
): Promise<Record<string, Tensor>> {
  const shapes: Record<string, { shape: number[] }> = {}
  for (const name of file.names) shapes[name] = { shape: file.shape(name) }
  const sizes = checkShapes(architecture, shapes)
  const { width, latents } = sizes
  for (const [key, size] of Object.entries({ d_in: width, d_sae: latents }))
    if (config[key] !== undefined && config[key] !== size)
      throw new UserError(`cfg.json says ${key} is ${String(config[key])}, but the weights in ${path} have ${size}.`)
  const params: Record<string, Tensor> = {}
  for (const name of Object.keys(tensorShapes(architecture, sizes, shapes)))
    params[name] = tf.tensor(await file.read(name), file.shape(name))
  // A scale per latent, learned after training in files before version 6: z · scale is what is decoded.
  if (file.names.includes('scaling_factor') && config.finetuning_scaling_factor) {
    const scale = tf.tensor(await file.read('scaling_factor'), [latents, 1])
    const scaled = tf.tidy(() => params.W_dec!.mul(scale))
    tf.dispose([scale, params.W_dec!])
    params.W_dec = scaled
  }
  return params
}

type Json = Record<string, unknown>

/** A cfg.json of any version as architecture, config and metadata. */
export function readConfig(raw: Json): { architecture: string; config: Json; metadata: SaeMetadata } {
  const old = !('metadata' in raw)
  const { metadata = {}, architecture: named, ...flat } = raw as Json & { metadata?: Json }
  const config: Json = { apply_b_dec_to_input: true, ...flat }
  let architecture = String(named ?? 'standard')
  const activation = flat.activation_fn_str ?? flat.activation_fn
  if (old && architecture === 'standard' && activation === 'topk') architecture = 'topk'
  if (old && architecture === 'topk') config.k ??= (flat.activation_fn_kwargs as Json | undefined)?.k
  if (activation !== undefined && !['relu', 'topk'].includes(String(activation)))
    throw new UserError(`The activation function ${String(activation)} is not known.`, {
      fix: 'Known are relu and topk.',
    })
  if (flat.reshape_activations !== undefined && !['none', 'hook_z'].includes(String(flat.reshape_activations)))
    throw new UserError(`reshape_activations ${String(flat.reshape_activations)} is not known.`)
  if (!inferenceArchitectures.includes(architecture)) activationOf(architecture)
  if (activationOf(architecture) === 'topk' && !(Number.isInteger(config.k) && (config.k as number) > 0))
    throw new UserError(
      `A ${architecture} SAE needs k in cfg.json, a whole number of at least 1; it is ${String(config.k)}.`,
    )
  if (config.normalize_activations === true) config.normalize_activations = 'expected_average_only_in'
  const from = old ? flat : (metadata as Json)
  const hook = from.hook_name ?? flat.hook_point ?? flat.hook_name
  return {
    architecture,
    config,
    metadata: {
      ...(old
        ? pick(flat, ['model_name', 'context_size', 'prepend_bos', 'dataset_path', 'hook_head_index'])
        : metadata),
      ...(old ? { prepend_bos: (flat.prepend_bos as boolean | undefined) ?? true } : {}),
      hook_name: hook === undefined ? '' : String(hook),
    },
  }
}

function pick(from: Json, keys: readonly string[]): Json {
  return Object.fromEntries(keys.filter(key => from[key] !== undefined).map(key => [key, from[key]]))
}
