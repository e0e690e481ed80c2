/**
 * Cross-layer transcoders of Gemma Scope 2: `config.json` and `params_layer_0.safetensors`, `params_layer_1.safetensors` …,
 * each with the decoders of its layer's latents to all layers, [latents, layers, outputs], and an affine path from the layer's
 * input to its output (`affine_skip_connection`, [width, outputs]) or none.
 */
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import type { Numbers } from '../../../engine/torch/numbers.ts'
import { matrix, readTensors, required, vector } from '../files/parts.ts'
import { gemma3, readGemmaScope2Config, siteOf } from './gemma-scope-2.ts'
import { countLayers, crossLayer, type TranscoderLayer } from './layers.ts'
import type { Imported, Layout } from './layout.ts'

const fileOf = (layer: number) => `params_layer_${layer}.safetensors`

/** Known by `params_layer_0.safetensors`. */
export const gemmaScope2Clt: Layout = {
  name: 'gemma-scope-2-clt',
  find: names => names.filter(name => name === fileOf(0)),
  read: readClt,
}

async function readClt(path: string): Promise<Imported> {
  const directory = dirname(path)
  const config = await readGemmaScope2Config(directory)
  if (config.type === 'crosscoder')
    throw new UserError(`${directory} is a crosscoder of Gemma Scope 2, whose layout is not known here.`)
  const count = countLayers(await readdir(directory), fileOf)
  const layers: TranscoderLayer[] = []
  let backwards = 0
  for (let l = 0; l < count; l++) {
    const found = await readLayer(join(directory, fileOf(l)), l, count)
    layers.push(found.layer)
    backwards += found.backwards
  }
  const all = (hook: string) => {
    const sites = layers.map((_, l) => siteOf(hook.replace(/layers\.\d+\./, `layers.${l}.`)))
    return sites.includes('') ? '' : sites.join(',')
  }
  const metadata = { hook_name: all(config.input), hook_name_out: all(config.output), ...gemma3(config) }
  const skips = layers.some(({ skip }) => skip !== undefined)
  if (config.affine !== undefined && config.affine !== skips)
    throw new UserError(
      `The config.json of ${directory} says affine_connection is ${config.affine}, but the weights have ${skips ? 'one' : 'none'}.`,
    )
  const notices = [
    `${backwards} decoder weights write to layers before their own; they are left out, as in circuit-tracer.`,
  ]
  return { ...crossLayer(layers, metadata, directory), ...(backwards > 0 ? { notices } : {}) }
}

/** One layer, and how many of its decoders' numbers are for layers before it. */
async function readLayer(
  path: string,
  layer: number,
  count: number,
): Promise<{ layer: TranscoderLayer; backwards: number }> {
  const tensors = await readTensors(path)
  const latents = required(tensors, 'b_enc', path).data.length
  const outputs = required(tensors, 'b_dec', path).data.length
  const decoders = required(tensors, 'w_dec', path)
  if (decoders.shape.length !== 3 || decoders.shape.some((side, i) => side !== [latents, count, outputs][i]))
    throw new UserError(`w_dec in ${path} has shape [${decoders.shape}]; it must be [${[latents, count, outputs]}].`)
  const [rows, columns] = required(tensors, 'w_enc', path).shape
  const width = columns === latents ? rows! : columns!
  const { decoder, backwards } = forwards(decoders, layer)
  const found = {
    encoder: matrix(tensors, 'w_enc', [width, latents], false, path),
    encoderBias: vector(tensors, 'b_enc', latents, path),
    decoder,
    decoderBias: vector(tensors, 'b_dec', outputs, path),
    threshold: vector(tensors, 'threshold', latents, path),
    ...(tensors.has('affine_skip_connection')
      ? { skip: matrix(tensors, 'affine_skip_connection', [outputs, width], true, path) }
      : {}),
  }
  tensors.mustBeTaken(path)
  return { layer: found, backwards }
}

/** Decoders to this layer and later ones, [latents, (layers − layer) · outputs]. */
function forwards({ shape, data }: Numbers, layer: number): { decoder: Numbers; backwards: number } {
  const [latents, layers, outputs] = shape as [number, number, number]
  const columns = (layers - layer) * outputs
  const kept = new Float32Array(latents * columns)
  let backwards = 0
  for (let i = 0; i < latents; i++) {
    const row = i * layers * outputs
    const start = row + layer * outputs
    kept.set(data.subarray(start, start + columns), i * columns)
    for (let at = row; at < start; at++) if (data[at] !== 0) backwards++
  }
  return { decoder: { shape: [latents, columns], data: kept }, backwards }
}
