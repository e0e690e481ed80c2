/**
 * Standard sparse autoencoder: ReLU latents under an L1 (or Lp) penalty.
 * Bricken et al. 2023, "Towards Monosemanticity"; with the penalty weighted by decoder norms, Anthropic, April 2024.
 *
 *   f    = relu((x − b_dec) W_enc + b_enc)
 *   loss = reconstruction(x, x̂) + λ · mean over rows of (Σ_i (f_i n_i)^p)^{1/p}       n_i = ‖W_dec,i‖ or 1
 */
import { z } from 'zod'
import { type Scalar, type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import { defineArchitecture } from '../architecture.ts'
import {
  decodeLinear,
  decoderNorms,
  initLinear,
  type LinearParams,
  linearSettings,
  preActivations,
  reconstructionLoss,
  unitOf,
} from '../layers/linear.ts'
import { saveLinear } from '../saved.ts'

/** Settings of an L1 penalty. */
export const l1Settings = {
  l1Coefficient: z
    .number()
    .min(0)
    .default(0.05)
    .describe('Weight of the L1 penalty (in deviations of the data when normalised)'),
  weightByDecoderNorm: z.boolean().default(true).describe('Count each latent times its decoder norm in the penalty'),
}

const Config = z.strictObject({
  ...linearSettings,
  ...l1Settings,
  lpNorm: z.number().positive().max(1).default(1).describe('p of the penalty’s norm'),
})

/** Latents as the penalty counts them. */
export function weighted(latents: Tensor2D, wDec: Tensor2D, byNorm: boolean): Tensor2D {
  return byNorm ? latents.mul<Tensor2D>(decoderNorms(wDec)) : latents
}

/** Smallest latent that enters a power below 1, whose slope at 0 is infinite. */
export const smallestBase = 1e-6

export const standard = defineArchitecture({
  name: 'standard',
  summary: 'ReLU latents under an L1 penalty',
  config: Config,
  reads: 'site',

  init: (shape, config, random): LinearParams => initLinear(shape, config, random),
  encode: (params, input, config) => tf.relu(preActivations(params, input, config)),
  decode: (params, latents) => decodeLinear(params, latents),

  loss(params, { input, target }, config, { variance, sparsity }) {
    const latents = tf.relu(preActivations(params, input, config))
    const reconstruction = decodeLinear(params, latents)
    const counted = weighted(latents, params.wDec, config.weightByDecoderNorm)
    const p = config.lpNorm
    const norms =
      p === 1
        ? counted.sum<Tensor1D>(1)
        : tf
            .maximum(counted, smallestBase)
            .pow(p)
            .sum<Tensor1D>(1)
            .pow(1 / p)
    return {
      terms: {
        reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, variance),
        sparsity: norms.mean<Scalar>().mul<Scalar>((config.l1Coefficient * sparsity) / unitOf(config, variance)),
      },
      latents,
      reconstruction,
    }
  },

  save: (params, config) => saveLinear('standard', params, config),
})
