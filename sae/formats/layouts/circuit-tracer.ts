/**
 * circuit-tracer's layouts. A transcoder of one layer is `layer_L.safetensors` (W_enc and W_dec [latents, width]); a
 * cross-layer transcoder is `W_enc_L.safetensors` (with biases) and `W_dec_L.safetensors` ([latents, layers from L on, width])
 * for each layer. `config.yaml` beside them names the sites. Latents are rectified, or pass a threshold where there is one.
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { parse } from 'yaml'
import { messageOf, UserError } from '../../../core/errors.ts'
import { inBlock } from '../../../core/sites.ts'
import type { Numbers } from '../../../engine/torch/numbers.ts'
import type { SaeMetadata } from '../../sae.ts'
import { objectOf, readWholeFile } from '../files/bounded-file.ts'
import { matrix, readTensors, required, type Tensors, vector } from '../files/parts.ts'
import { mustKnowKeys } from '../files/said.ts'
import { countLayers, crossLayer, type TranscoderLayer } from './layers.ts'
import type { Imported, Layout } from './layout.ts'

const layerFile = /^layer_(\d+)\.safetensors$/
const encoderFile = (layer: number) => `W_enc_${layer}.safetensors`

/** Known by `layer_L.safetensors`, a transcoder each. */
export const circuitTracer: Layout = {
  name: 'circuit-tracer',
  find: names => names.filter(name => layerFile.test(name)),
  read: readTranscoder,
  alone: true,
}

/** Known by `W_enc_0.safetensors`. */
export const circuitTracerClt: Layout = {
  name: 'circuit-tracer-clt',
  find: names => names.filter(name => name === encoderFile(0)),
  read: readClt,
}

async function readTranscoder(path: string): Promise<Imported> {
  const layer = Number(layerFile.exec(basename(path))![1])
  const tensors = await readTensors(path)
  const latents = required(tensors, 'b_enc', path).data.length
  const outputs = required(tensors, 'b_dec', path).data.length
  const [rows, columns] = required(tensors, 'W_enc', path).shape
  const width = rows === latents ? columns! : rows!
  const threshold = thresholdOf(tensors, 'activation_function.threshold', latents, path)
  const skip = tensors.has('W_skip')
  const sae: Imported = {
    architecture: `${threshold ? 'jumprelu_' : ''}${skip ? 'skip_' : ''}transcoder`,
    config: { apply_b_dec_to_input: false, normalize_activations: 'none' },
    params: {
      W_enc: matrix(tensors, 'W_enc', [width, latents], true, path),
      b_enc: vector(tensors, 'b_enc', latents, path),
      W_dec: matrix(tensors, 'W_dec', [latents, outputs], false, path),
      b_dec: vector(tensors, 'b_dec', outputs, path),
      ...(threshold ? { threshold } : {}),
      ...(skip ? { W_skip: matrix(tensors, 'W_skip', [outputs, width], false, path) } : {}),
    },
    metadata: await describe(dirname(path), [layer], 'circuit-tracer'),
  }
  tensors.mustBeTaken(path)
  return sae
}

async function readClt(path: string): Promise<Imported> {
  const directory = dirname(path)
  const count = countLayers(await readdir(directory), encoderFile)
  const layers: TranscoderLayer[] = []
  for (let l = 0; l < count; l++) layers.push(await readLayer(directory, l, count))
  const numbers = layers.map((_, l) => l)
  return crossLayer(layers, await describe(directory, numbers, 'circuit-tracer-clt'), directory)
}

async function readLayer(directory: string, layer: number, count: number): Promise<TranscoderLayer> {
  const [path, decoderPath] = [join(directory, encoderFile(layer)), join(directory, `W_dec_${layer}.safetensors`)]
  const [tensors, decoders] = [await readTensors(path), await readTensors(decoderPath)]
  const latents = required(tensors, `b_enc_${layer}`, path).data.length
  const width = required(tensors, `b_dec_${layer}`, path).data.length
  const { shape, data } = required(decoders, `W_dec_${layer}`, decoderPath)
  const expected = [latents, count - layer, width]
  if (shape.length !== 3 || shape.some((side, i) => side !== expected[i]))
    throw new UserError(`W_dec_${layer} in ${decoderPath} has shape [${shape}]; it must be [${expected}].`)
  const threshold = thresholdOf(tensors, `threshold_${layer}`, latents, path)
  const found = {
    encoder: matrix(tensors, `W_enc_${layer}`, [width, latents], true, path),
    encoderBias: vector(tensors, `b_enc_${layer}`, latents, path),
    decoder: { shape: [latents, (count - layer) * width], data },
    decoderBias: vector(tensors, `b_dec_${layer}`, width, path),
    ...(threshold ? { threshold } : {}),
  }
  tensors.mustBeTaken(path)
  decoders.mustBeTaken(decoderPath)
  return found
}

/** Thresholds, one for all or one a latent. Below 0 negative values would pass as they are in circuit-tracer. */
function thresholdOf(tensors: Tensors, name: string, latents: number, path: string): Numbers | undefined {
  const found = tensors.get(name)
  if (!found) return undefined
  if (found.data.some(value => value < 0))
    throw new UserError(
      `${name} in ${path} has thresholds below 0, so that latents could be negative: this cannot be read.`,
    )
  if (found.data.length === 1) return { shape: [latents], data: new Float32Array(latents).fill(found.data[0]!) }
  return vector(tensors, name, latents, path)
}

/** Larger than any real one, which has ten lines. */
const mostBytes = 2 ** 16

/** What `config.yaml` says of the model and the sites; without one the sites are left for the user to say. */
async function describe(directory: string, layers: readonly number[], format: string): Promise<SaeMetadata> {
  const path = join(directory, 'config.yaml')
  const origin = { imported_from: { format } }
  if (!existsSync(path)) return { hook_name: '', ...origin }
  const config = await readYaml(path)
  mustKnowKeys(
    config,
    {
      read: ['model_name', 'feature_input_hook', 'feature_output_hook'],
      harmless: ['model_kind', 'scan', 'repo_id', 'revision', 'subfolder', 'transcoders', 'tokenizer_name', 'dtype'],
    },
    path,
  )
  const sites = (hook: unknown) =>
    typeof hook === 'string' ? layers.map(layer => inBlock(layer, hook)).join(',') : undefined
  const [input, output] = [sites(config.feature_input_hook), sites(config.feature_output_hook)]
  return {
    hook_name: input ?? '',
    ...(output === undefined ? {} : { hook_name_out: output }),
    ...(typeof config.model_name === 'string' ? { model_name: config.model_name } : {}),
    ...origin,
  }
}

async function readYaml(path: string): Promise<Record<string, unknown>> {
  const bytes = await readWholeFile(path, 'circuit-tracer config', mostBytes)
  try {
    return objectOf(parse(new TextDecoder().decode(bytes)))
  } catch (error) {
    const why = messageOf(error).replace(/[\p{C}\p{Z}]+/gu, ' ')
    throw new UserError(`The circuit-tracer config ${path} is not YAML: ${why}.`, { cause: error })
  }
}
