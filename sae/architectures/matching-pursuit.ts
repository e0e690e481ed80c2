/**
 * Matching pursuit sparse autoencoder: the encoder is the decoder. Each row takes the latent that its residual lies most
 * along, subtracts it, and goes on with what is left. Costa et al. 2025, arXiv:2506.03093; the iteration is in pursuit.ts.
 *
 *   z    = pursuit(x − b_dec, W_dec), at most k latents
 *   x̂   = z W_dec + b_dec
 *   loss = reconstruction(x, x̂)
 */
import { z } from 'zod'
import { type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import { defineArchitecture, type Params, type Saved } from '../architecture.ts'
import { checkK, decodeLinear, linearSettings, randomDirections, reconstructionLoss } from '../layers/linear.ts'
import { pursue } from '../layers/pursuit.ts'
import { addBias } from '../layers/summation.ts'

const { decoderBiasOnInput: _, ...settings } = linearSettings

const Config = z.strictObject({
  k: z.int().min(1).default(32).describe('Latents kept a row'),
  ...settings,
  residualThreshold: z
    .number()
    .min(0)
    .default(0.01)
    .describe(
      'A row whose residual is shorter has latents enough (in the unit that inputScale gives rows); 0 turns it off',
    ),
  stopOnRepeat: z.boolean().default(true).describe('A row has latents enough once it chooses one a second time'),
})

export interface PursuitParams extends Params {
  /** [latents, width] */
  wDec: Tensor2D
  bDec: Tensor1D
}

type Config = z.output<typeof Config>

function latentsOf({ wDec, bDec }: PursuitParams, input: Tensor2D, config: Config, k: number) {
  const { residualThreshold: threshold, stopOnRepeat } = config
  return pursue(input.sub(bDec), wDec, { most: k, threshold, stopOnRepeat })
}

export const matchingPursuit = defineArchitecture({
  name: 'matching-pursuit',
  summary: 'latents are chosen one after the other, each for what those before it left over',
  config: Config,
  reads: 'site',
  // The norm of a direction would change which latent is chosen.
  training: { foldDecoderNorm: false },

  init({ width, latents }, config, random): PursuitParams {
    checkK(config.k, latents)
    return { wDec: randomDirections(latents, width, config.decoderInitNorm, random), bDec: tf.zeros([width]) }
  },

  encode: (params, input, config) => latentsOf(params, input, config, config.k).latents,

  decode: (params, latents) => decodeLinear(params, latents),

  loss(params, { input, target }, config, { variance, k }) {
    const { latents, explained } = latentsOf(params, input, config, k ?? config.k)
    const reconstruction = addBias(explained, params.bDec)
    return {
      terms: { reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, variance) },
      latents,
      reconstruction,
    }
  },

  save: ({ wDec, bDec }, { k, residualThreshold, stopOnRepeat }): Saved => ({
    architecture: 'matching_pursuit',
    config: {
      apply_b_dec_to_input: true,
      normalize_activations: 'none',
      residual_threshold: residualThreshold,
      max_iterations: k,
      stop_on_duplicate_support: stopOnRepeat,
    },
    params: { W_dec: wDec.clone(), b_dec: bDec.clone() },
  }),
})
