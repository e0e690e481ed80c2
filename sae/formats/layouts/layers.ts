/** Cross-layer transcoders, whose libraries keep a file or two a layer, as one: layers side by side. */

import { UserError } from '../../../core/errors.ts'
import type { Numbers } from '../../../engine/torch/numbers.ts'
import type { SaeMetadata } from '../../sae.ts'
import type { Imported } from './layout.ts'

/** One layer. Its latents read a row of `width` and write to this layer and all later ones. */
export interface TranscoderLayer {
  /** [width, latents] */
  readonly encoder: Numbers
  readonly encoderBias: Numbers
  /** [latents, layers from this one on · outputs], this layer's first. */
  readonly decoder: Numbers
  readonly decoderBias: Numbers
  /** One a latent; without them latents are rectified. */
  readonly threshold?: Numbers
  /** A linear path beside the latents, [outputs, width]; in all layers or in none. */
  readonly skip?: Numbers
}

/** The transcoder of all layers. */
export function crossLayer(layers: readonly TranscoderLayer[], metadata: SaeMetadata, path: string): Imported {
  const [width, latents] = layers[0]!.encoder.shape as [number, number]
  for (const [l, { encoder }] of layers.entries())
    if (encoder.shape[0] !== width || encoder.shape[1] !== latents)
      throw new UserError(
        `Layer ${l} in ${path} has an encoder of shape [${encoder.shape}], layer 0 [${width},${latents}].`,
      )
  const skips = layers.flatMap(({ skip }) => (skip ? [skip] : []))
  if (skips.length !== 0 && skips.length !== layers.length)
    throw new UserError(
      `${skips.length} of the ${layers.length} layers in ${path} have a linear path beside their latents.`,
    )
  const zeros = { shape: [latents], data: new Float32Array(latents) }
  return {
    architecture: skips.length > 0 ? 'cross_layer_skip_transcoder' : 'cross_layer_transcoder',
    config: { apply_b_dec_to_input: false, normalize_activations: 'none', layers: layers.length },
    params: {
      W_enc: { shape: [layers.length, width, latents], data: joined(layers.map(({ encoder }) => encoder)) },
      b_enc: flat(layers.map(({ encoderBias }) => encoderBias)),
      ...Object.fromEntries(layers.map(({ decoder }, l) => [`W_dec_${l}`, decoder])),
      b_dec: flat(layers.map(({ decoderBias }) => decoderBias)),
      threshold: flat(layers.map(({ threshold }) => threshold ?? zeros)),
      ...(skips.length > 0 ? { W_skip: { shape: [skips.length, ...skips[0]!.shape], data: joined(skips) } } : {}),
    },
    metadata,
  }
}

function flat(parts: readonly Numbers[]): Numbers {
  const data = joined(parts)
  return { shape: [data.length], data }
}

function joined(parts: readonly Numbers[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { data }) => sum + data.length, 0))
  let at = 0
  for (const { data } of parts) {
    whole.set(data, at)
    at += data.length
  }
  return whole
}

/** How many files `name(0)`, `name(1)` … a folder has, from 0 on without a gap. */
export function countLayers(names: readonly string[], name: (layer: number) => string): number {
  const there = new Set(names)
  let count = 0
  while (there.has(name(count))) count++
  return count
}
