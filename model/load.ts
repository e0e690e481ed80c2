/** Loading a model from a Hugging Face directory: config.json beside its weights, whole or in shards. */
import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../core/config.ts'
import { UserError } from '../core/errors.ts'
import { linkTarget, readJson } from '../core/files.ts'
import { hashValue, sha256File } from '../core/hash.ts'
import { Random } from '../core/random.ts'
import { openSafetensors } from '../engine/safetensors.ts'
import { type Tensor, tf } from '../engine/tf.ts'
import { openStateDict, type StateDictFile } from '../engine/torch/state-dict.ts'
import { buildModel } from './build.ts'
import { type ConfigReading, readingOf } from './families/config.ts'
import { architectureOf } from './families/index.ts'
import type { Model } from './model.ts'
import { matchWeights, tiedAndGiven, untied } from './weights.ts'

/** A file of weights, whatever its form: what both forms can do. */
type WeightFile = StateDictFile

/** What weights are called, the one that is taken where there are several first. */
const weightNames = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
]

/** The index of sharded weights. */
const Index = z.object({ weight_map: z.record(z.string(), z.string()) })

/**
 * Loads a model, tensor by tensor. `path` is a directory, or a .safetensors or .bin file (or an index of such) in one, for
 * weights that have another name; a file named `config*.json` picks another config. F16 and BF16 weights become float32.
 * `shuffled` is a seed with which the entries of every matrix change places: the same sizes and scales, and nothing learned.
 * Throws a `UserError` for files that are missing, damaged, or do not fit each other.
 */
export async function loadModel(path: string, { shuffled }: { readonly shuffled?: number } = {}): Promise<Model> {
  const { config, weights } = await filesOf(path)
  const hfConfig = await readJson(config, 'model config')
  const shards = await openShards(weights)
  const loaded: Record<string, Tensor> = {}
  try {
    const given = new Map<string, number[]>()
    const holder = new Map<string, WeightFile>()
    for (const shard of shards)
      for (const name of shard.names) {
        if (holder.has(name))
          throw new UserError(`Tensor ${name} is both in ${holder.get(name)!.path} and ${shard.path}.`)
        given.set(name, shard.shape(name))
        holder.set(name, shard)
      }
    const read = (name: string) => holder.get(name)!.read(name)
    const described = architectureOf(hfConfig, config, given)
    const both = tiedAndGiven(described, given)
    const architecture =
      both && !equal(await read(both.embedding), await read(both.head)) ? untied(described) : described
    for (const [name, found] of matchWeights(architecture, given, weights))
      loaded[name] = tf.tensor(dealt(await read(found), given.get(found)!, name, shuffled), given.get(found)!)
    const hashes: string[] = []
    for (const shard of shards) hashes.push(await sha256File(shard.path))
    const identity = { config: hfConfig, weights: hashes, ...(shuffled === undefined ? {} : { shuffled }) }
    return buildModel(hfConfig, loaded, { path, hash: hashValue(identity) })
  } catch (error) {
    tf.dispose(loaded)
    throw error
  } finally {
    for (const shard of shards) await shard.close()
  }
}

/** The entries of a matrix in an order that seed and name draw; gains and biases, and all without a seed, as they are. */
function dealt(values: Float32Array, shape: readonly number[], name: string, seed: number | undefined): Float32Array {
  if (seed === undefined || shape.length < 2) return values
  return new Random(seed, 'shuffled weights', name).shuffle(values.slice())
}

/** What the model's family makes of the keys of its config; see `loadModel` for the path. */
export async function readModelConfig(path: string): Promise<ConfigReading> {
  const { config } = await filesOf(path)
  const hfConfig = await readJson(config, 'model config')
  architectureOf(hfConfig, config)
  return readingOf(hfConfig as object)!
}

/** Which config and which weights (a file of them or an index) a path means. */
async function filesOf(path: string): Promise<{ config: string; weights: string }> {
  const name = basename(path)
  const inFile = /\.(safetensors|bin|json)$/.test(name)
  const directory = inFile ? dirname(path) : path
  const isConfig = inFile && name.startsWith('config')
  const config = isConfig ? path : join(directory, 'config.json')
  if (!(await exists(directory)))
    throw new UserError(`There is no model at ${path}.`, { fix: 'Name a Hugging Face model directory.' })
  if (inFile && !isConfig) return { config, weights: path }
  for (const candidate of weightNames) {
    const weights = join(directory, candidate)
    // A link that leads nowhere is the file that was meant, and opening it says so.
    if ((await exists(weights)) || linkTarget(weights) !== undefined) return { config, weights }
  }
  throw new UserError(`${directory} has no weights: none of ${weightNames.join(', ')}.`, {
    fix: 'Read are safetensors and PyTorch weights; convert others with save_pretrained(safe_serialization=True).',
  })
}

async function openShards(weights: string): Promise<WeightFile[]> {
  const shards: WeightFile[] = []
  try {
    if (!weights.endsWith('.json')) return [await openWeights(weights)]
    const { weight_map } = parseConfig(Index, await readJson(weights, 'weight index'), basename(weights))
    for (const file of [...new Set(Object.values(weight_map))].sort()) {
      if (file !== basename(file)) throw new UserError(`The weight index ${weights} names a file elsewhere: ${file}.`)
      shards.push(await openWeights(join(dirname(weights), file)))
    }
    for (const [name, file] of Object.entries(weight_map))
      if (!shards.find(shard => basename(shard.path) === file)!.has(name))
        throw new UserError(`The weight index ${weights} says ${file} has tensor ${name}, but it has not.`)
    return shards
  } catch (error) {
    for (const shard of shards) await shard.close()
    throw error
  }
}

function openWeights(path: string): Promise<WeightFile> {
  return path.endsWith('.bin') ? openStateDict(path) : openSafetensors(path)
}

function equal(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]))
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
