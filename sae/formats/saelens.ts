/** SAELens directories: `cfg.json`, `sae_weights.safetensors` and optionally `sparsity.safetensors`. */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { writeJson } from '../../core/files.ts'
import { hashValue, sha256File } from '../../core/hash.ts'
import { quote } from '../../core/quote.ts'
import { openSafetensors, type SafetensorsFile, writeSafetensors } from '../../engine/safetensors.ts'
import { type Tensor, tf } from '../../engine/tf.ts'
import { activationOf, tensorShapes } from '../inference.ts'
import { checkShapes, makeSae } from '../make.ts'
import type { Sae, SaeMetadata } from '../sae.ts'
import { mustBeFile, readConfigFile } from './bounded-file.ts'
import { type Numbers, scaleRows } from './numbers.ts'
import { checkK } from './parts.ts'
import { readConfig, type SaelensConfig, saelensConfig } from './saelens-config.ts'
import { finishTraining } from './saelens-training.ts'

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
  await writeJson(join(directory, 'cfg.json'), saelensConfig({ ...sae, width, latents, outputs }))
}

/** Opens an SAE that SAELens or this project saved. Every malformed directory is a `UserError`. */
export async function loadSae(directory: string): Promise<Sae> {
  const raw = await readConfigFile(join(directory, 'cfg.json'), 'SAE config')
  const parsed = readConfig(raw)
  const { architecture, config, metadata } = parsed
  const path = join(directory, 'sae_weights.safetensors')
  await mustBeFile(path, 'safetensors file')
  const file = await openSafetensors(path)
  try {
    const hash = hashValue({ config: raw, weights: await sha256File(path) })
    const params = await readParams(file, path, parsed)
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
  await mustBeFile(path, 'safetensors file')
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
  { architecture, config, trained }: SaelensConfig,
): Promise<Record<string, Tensor>> {
  const read = async (name: string): Promise<Numbers> => ({ shape: file.shape(name), data: await file.read(name) })
  let found: Record<string, { shape: number[]; data?: Float32Array }> = {}
  const unfinished = trained && (file.has('log_threshold') || file.has('topk_threshold'))
  for (const name of file.names) found[name] = unfinished ? await read(name) : { shape: file.shape(name) }
  if (unfinished) found = finishTraining(found as Record<string, Numbers>, config, path)
  const sizes = checkShapes(architecture, found)
  const { width, latents } = sizes
  for (const [key, size] of Object.entries({ d_in: width, d_sae: latents }))
    if (config[key] !== undefined && config[key] !== size)
      throw new UserError(
        `cfg.json says ${key} is ${quote(String(config[key]))}, but the weights in ${path} have ${size}.`,
      )
  if (activationOf(architecture) === 'topk') checkK(config.k, latents, path)
  const scale = found.scaling_factor && scalingFactor(await read('scaling_factor'), latents, config, path)
  const params: Record<string, Tensor> = {}
  try {
    for (const name of Object.keys(tensorShapes(architecture, sizes, found))) {
      const { shape, data = (await read(name)).data } = found[name]!
      params[name] = tf.tensor(scale && name === 'W_dec' ? scaleRows({ shape, data }, scale) : data, shape)
    }
    return params
  } catch (error) {
    tf.dispose(Object.values(params))
    throw error
  }
}

/**
 * A scale per latent, learned after training in files before version 6: z · scale is what is decoded. For some time it was
 * written though it was 1 throughout.
 */
function scalingFactor(
  scale: Numbers,
  latents: number,
  config: Readonly<Record<string, unknown>>,
  path: string,
): Float32Array | undefined {
  if (scale.data.every(value => Math.abs(value - 1) <= 1e-5)) return undefined
  if (scale.data.length !== latents) throw new UserError(`scaling_factor in ${path} has not one value a latent.`)
  if (config.finetuning_scaling_factor) return scale.data
  throw new UserError(`${path} has a scaling_factor, but cfg.json says finetuning_scaling_factor is not used.`, {
    fix: 'Set finetuning_scaling_factor in cfg.json to true, or take the tensor out.',
  })
}
