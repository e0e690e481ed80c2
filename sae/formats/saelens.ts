/** SAELens directories: `cfg.json`, `sae_weights.safetensors` and optionally `sparsity.safetensors`. */
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { writeJson } from '../../core/files.ts'
import { hashValue, sha256File } from '../../core/hash.ts'
import { quote } from '../../core/quote.ts'
import { openSafetensors, type SafetensorsFile, writeSafetensors } from '../../engine/safetensors.ts'
import { type Tensor, tf } from '../../engine/tf.ts'
import { type Numbers, scaleRows } from '../../engine/torch/numbers.ts'
import { choosesK, tensorShapes } from '../inference.ts'
import { checkShapes, makeSae } from '../make.ts'
import type { Sae, SaeMetadata } from '../sae.ts'
import { mustBeFile, readConfigFile } from './files/bounded-file.ts'
import { checkK } from './files/parts.ts'
import { mustBeFinite, mustKnowTensors } from './files/said.ts'
import { readConfig, type SaelensConfig, saelensConfig } from './saelens/config.ts'
import { countingTensors } from './saelens/keys.ts'
import { readScale, scaledInput } from './saelens/scale.ts'
import { mustFitTemporal } from './saelens/single.ts'
import { finishTraining } from './saelens/training.ts'

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

/** The main file of an SAE in SAELens's layout, where a folder with these names holds one. */
export function isSaelens(names: readonly string[]): string | undefined {
  return names.find(name => name === 'sae_weights.safetensors')
}

/** Opens an SAE that SAELens or this project saved. Every malformed directory is a `UserError`. */
export async function loadSae(directory: string): Promise<Sae> {
  const configPath = join(directory, 'cfg.json')
  const raw = await readConfigFile(configPath, 'SAE config')
  const parsed = readConfig(raw, configPath)
  const { architecture, config, metadata } = parsed
  const path = join(directory, 'sae_weights.safetensors')
  await mustBeFile(path, 'safetensors file')
  const scale = await readScale(directory)
  const file = await openSafetensors(path)
  try {
    const hash = await hashOf(raw, path, scale)
    const { params, ...changed } = await readParams(file, path, parsed, scale)
    return makeSae({ architecture, config: { ...config, ...changed.config }, metadata, params, hash })
  } finally {
    await file.close()
  }
}

/** Whether a directory can be copied as it is: its config is plain JSON and no scale of its rows lies beside it. */
export async function isFinished(directory: string): Promise<boolean> {
  if ((await readScale(directory)) !== undefined) return false
  try {
    JSON.parse(await readFile(join(directory, 'cfg.json'), 'utf8'))
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** The hash that `loadSae` gives an SAE, without opening it. */
export async function hashSae(directory: string): Promise<string> {
  const raw = await readConfigFile(join(directory, 'cfg.json'), 'SAE config')
  const path = join(directory, 'sae_weights.safetensors')
  await mustBeFile(path, 'safetensors file')
  return hashOf(raw, path, await readScale(directory))
}

async function hashOf(config: unknown, path: string, scale: number | undefined): Promise<string> {
  return hashValue({ config, weights: await sha256File(path), ...(scale === undefined ? {} : { scale }) })
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
  scale: number | undefined,
): Promise<{ params: Record<string, Tensor>; config: Record<string, unknown> }> {
  const read = async (name: string): Promise<Numbers> => {
    const data = await file.read(name)
    mustBeFinite(name, data, path)
    return { shape: file.shape(name), data }
  }
  let found: Record<string, { shape: number[]; data?: Float32Array }> = {}
  const unfinished = trained && (file.has('log_threshold') || file.has('topk_threshold'))
  const whole = unfinished || scale !== undefined
  const used = file.names.filter(name => !countingTensors.includes(name))
  for (const name of used) found[name] = whole ? await read(name) : { shape: file.shape(name) }
  if (unfinished) found = finishTraining(found as Record<string, Numbers>, config, path)
  for (const name of Object.keys(found)) found[name] = flattened(name, found[name]!)
  const sizes = checkShapes(architecture, found)
  const { width, latents, outputs } = sizes
  const needed = Object.keys(tensorShapes(architecture, sizes, found))
  mustKnowTensors(Object.keys(found), [...needed, 'scaling_factor'], path)
  for (const [key, size] of Object.entries({ d_in: width, d_sae: latents, d_out: outputs }))
    if (config[key] !== undefined && config[key] !== size)
      throw new UserError(
        `cfg.json says ${key} is ${quote(String(config[key]))}, but the weights in ${path} have ${size}.`,
      )
  if (choosesK(architecture)) checkK(config.k, latents, path)
  if (architecture === 'temporal') mustFitTemporal(config, found, latents, path)
  const factor = found.scaling_factor && scalingFactor(await read('scaling_factor'), latents, config, path)
  if (config.finetuning_scaling_factor && !found.scaling_factor)
    throw new UserError(`cfg.json says finetuning_scaling_factor is used, but ${path} has no scaling_factor.`)
  const changed =
    scale === undefined
      ? { params: found, config: {} }
      : scaledInput({ architecture, config, params: found as Record<string, Numbers> }, scale, path)
  const params: Record<string, Tensor> = {}
  try {
    for (const name of needed) {
      const { shape, data = (await read(name)).data } = changed.params[name]! as {
        shape: number[]
        data?: Float32Array
      }
      params[name] = tf.tensor(factor && name === 'W_dec' ? scaleRows({ shape, data }, factor) : data, shape)
    }
    return { params, config: changed.config }
  } catch (error) {
    tf.dispose(Object.values(params))
    throw error
  }
}

/** A vector that is kept as a matrix of one row, as [width]. */
function flattened<T extends { shape: number[] }>(name: string, numbers: T): T {
  const isVector = !/^W_|weight$/.test(name) && numbers.shape.length === 2 && numbers.shape[0] === 1
  return isVector ? { ...numbers, shape: [numbers.shape[1]!] } : numbers
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
