/**
 * AbsTopK sparse autoencoder: each row keeps its k largest latents by absolute value with their signs, so that one latent
 * stands for a direction and its opposite. Zhu et al. 2025, "AbsTopK: Rethinking sparse autoencoders for bidirectional
 * features", arXiv:2510.00404.
 *
 *   π    = (x − b_dec) W_enc + b_enc
 *   z    = π at its k largest |π|, else 0
 *   x̂   = z W_dec + b_dec
 *   loss = reconstruction(x, x̂) + auxiliary (see auxiliary.ts), whose dead latents are chosen by absolute value, too
 *
 * A latent fires where it is not 0.
 */
import { z } from 'zod'
import type { Scalar } from '../../engine/tf.ts'
import { defineArchitecture } from '../architecture.ts'
import { absTopK } from '../layers/activations.ts'
import { auxiliaryLoss } from '../layers/auxiliary.ts'
import { checkK, initLinear, type LinearParams, reconstructionLoss } from '../layers/linear.ts'
import { saveLinear } from '../saved.ts'
import { decodeRanked, rankedPreActivations, topkSettings } from './topk.ts'

const { auxRelu: _, ...settings } = topkSettings

const Config = z.strictObject({
  k: z.int().min(1).default(32).describe('Latents kept a row'),
  ...settings,
})

export const abstopk = defineArchitecture({
  name: 'abstopk',
  summary: 'keeps the k largest latents of each row by absolute value, with their signs',
  config: Config,
  reads: 'site',

  init(shape, config, random): LinearParams {
    checkK(config.k, shape.latents)
    return initLinear(shape, config, random)
  },

  encode: (params, input, config) => absTopK(rankedPreActivations(params, input, config), config.k),

  decode: (params, latents, config) => decodeRanked(params, latents, config),

  loss(params, { input, target }, config, context) {
    const pre = rankedPreActivations(params, input, config)
    const latents = absTopK(pre, context.k ?? config.k)
    const reconstruction = decodeRanked(params, latents, config)
    const terms: Record<string, Scalar> = {
      reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, context.variance),
    }
    const auxiliary = auxiliaryLoss(params, pre, target, reconstruction, { ...config, auxChoice: 'size' }, context)
    if (auxiliary) terms.auxiliary = auxiliary
    return { terms, latents, reconstruction }
  },

  save: (params, config) => saveLinear('abstopk', params, config, { k: config.k }),
})
