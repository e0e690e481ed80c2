/**
 * TopK sparse autoencoder: each row keeps its k largest latents and drops the rest.
 * Gao et al. 2024, "Scaling and evaluating sparse autoencoders", arXiv:2406.04093.
 *
 *   π    = (x − b_dec) W_enc + b_enc
 *   z    = topK(relu(π), k)
 *   x̂   = z W_dec + b_dec
 *   loss = reconstruction(x, x̂) + auxiliary (see auxiliary.ts)
 *
 * With `rescaleByDecoderNorm` latents are chosen by π_i ‖W_dec,i‖, so that a free decoder norm does not matter.
 */
import { z } from 'zod'
import { type Scalar, type Tensor2D, tf } from '../../engine/tf.ts'
import { defineArchitecture, type State } from '../architecture.ts'
import { topK } from '../layers/activations.ts'
import { auxiliaryLoss, auxiliarySettings } from '../layers/auxiliary.ts'
import {
  checkK,
  decodeLinear,
  decoderNorms,
  initLinear,
  type LinearParams,
  linearSettings,
  preActivations,
  reconstructionLoss,
} from '../layers/linear.ts'
import { saveLinear } from '../saved.ts'

/** Settings that the top-k family shares. */
export const topkSettings = {
  ...linearSettings,
  ...auxiliarySettings,
  rescaleByDecoderNorm: z
    .boolean()
    .default(false)
    .describe('Choose latents by their value times their decoder norm; for decoders whose norm is free'),
}

const Config = z.strictObject({
  k: z.int().min(1).default(32).describe('Latents kept a row'),
  ...topkSettings,
})

/** Pre-activations, times the decoder norms where latents are chosen by them. */
export function rankedPreActivations(
  params: LinearParams,
  input: Tensor2D,
  config: { decoderBiasOnInput: boolean; rescaleByDecoderNorm: boolean },
): Tensor2D {
  const pre = preActivations(params, input, config)
  return config.rescaleByDecoderNorm ? pre.mul(decoderNorms(params.wDec)) : pre
}

/** Reconstruction from latents that were chosen that way. */
export function decodeRanked(
  params: LinearParams,
  latents: Tensor2D,
  { rescaleByDecoderNorm }: { rescaleByDecoderNorm: boolean },
): Tensor2D {
  return decodeLinear(params, rescaleByDecoderNorm ? latents.div(decoderNorms(params.wDec)) : latents)
}

export const topk = defineArchitecture({
  name: 'topk',
  summary: 'keeps the k largest latents of each row',
  config: Config,
  reads: 'site',

  init(shape, config, random): LinearParams {
    checkK(config.k, shape.latents)
    return initLinear(shape, config, random)
  },

  encode: (params, input, config) => topK(tf.relu(rankedPreActivations(params, input, config)), config.k),

  decode: (params, latents, config) => decodeRanked(params, latents, config),

  loss(params, { input, target }, config, context) {
    const pre = rankedPreActivations(params, input, config)
    const latents = topK(tf.relu(pre), context.k ?? config.k)
    const reconstruction = decodeRanked(params, latents, config)
    const terms: Record<string, Scalar> = {
      reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, context.variance),
    }
    const auxiliary = auxiliaryLoss(params, pre, target, reconstruction, config, context)
    if (auxiliary) terms.auxiliary = auxiliary
    return { terms, latents, reconstruction }
  },

  save: (params, config, _state: State) => saveLinear('topk', params, config, { k: config.k }),
})
