/**
 * BatchTopK sparse autoencoder: a batch of n rows keeps its k·n largest latents, however they fall on the rows.
 * Bussmann et al. 2024, "BatchTopK sparse autoencoders", arXiv:2412.06410.
 *
 *   z = top k·n entries of relu(π) over the whole batch
 *   θ ← (1 − rate) θ + rate · min{z > 0}
 *
 * A row alone has no batch, so inference is a JumpReLU with the running threshold θ for every latent, and that is how it
 * is saved. θ is kept in double precision.
 */
import { z } from 'zod'
import { hostValues } from '../../engine/host.ts'
import { type Scalar, type Tensor2D, tf } from '../../engine/tf.ts'
import { defineArchitecture, type LossContext, type State } from '../architecture.ts'
import { above, batchTopK } from '../layers/activations.ts'
import { auxiliaryLoss } from '../layers/auxiliary.ts'
import { initLinear, type LinearParams, reconstructionLoss } from '../layers/linear.ts'
import { saveLinear } from '../saved.ts'
import { decodeRanked, rankedPreActivations, topkSettings } from './topk.ts'

/** How the inference threshold is estimated. */
export const thresholdSettings = {
  thresholdRate: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe('Weight of a step in the running threshold that inference uses'),
  thresholdFrom: z.int().min(0).default(0).describe('First step whose smallest kept latent enters the threshold'),
  thresholdStart: z
    .enum(['zero', 'first'])
    .default('first')
    .describe('The running threshold starts at zero (SAELens) or at its first observation (dictionary_learning)'),
}

export const batchTopkSettings = {
  k: z.number().positive().default(32).describe('Latents kept a row, on average over the batch'),
  ...topkSettings,
  ...thresholdSettings,
}

const Config = z.strictObject(batchTopkSettings)

/** The running threshold after a batch whose kept latents were these; −1 stands for "not yet". */
export function nextThreshold(latents: Tensor2D, config: ThresholdSettings, context: LossContext): State {
  if (context.step < config.thresholdFrom) return context.state
  const smallest = hostValues(() => tf.where(tf.greater(latents, 0), latents, Number.POSITIVE_INFINITY).min())[0]!
  return moveThreshold(context.state, smallest, config, context.step)
}

/** The running threshold after a batch whose smallest kept latent is `smallest`; infinity stands for none. */
export function moveThreshold(state: State, smallest: number, config: ThresholdSettings, step: number): State {
  if (step < config.thresholdFrom || !Number.isFinite(smallest)) return state
  const old = state.threshold!
  const threshold = old < 0 ? smallest : (1 - config.thresholdRate) * old + config.thresholdRate * smallest
  return { ...state, threshold }
}

type ThresholdSettings = { thresholdRate: number; thresholdFrom: number }

/** How many latents a batch of so many rows keeps; a fraction of k is one of a latent a row. */
export function keptOf(k: number, rows: number): number {
  return Math.round(k * rows)
}

/** The batch's latents when `k` of them are kept a row, on average. */
export function keepOfBatch(pre: Tensor2D, k: number): Tensor2D {
  return batchTopK(tf.relu(pre), keptOf(k, pre.shape[0]))
}

/** Saved as JumpReLU with one threshold for all latents. */
export function saveThresholded(
  params: LinearParams,
  config: { decoderBiasOnInput: boolean; rescaleByDecoderNorm: boolean },
  state: State,
) {
  // With ranked latents the threshold already stands against π·norm, which is what folding makes of the pre-activations.
  return saveLinear(
    'jumprelu',
    params,
    config,
    {},
    { threshold: tf.fill([params.bEnc.shape[0]], Math.max(0, state.threshold!)) },
  )
}

export const batchtopk = defineArchitecture({
  name: 'batchtopk',
  summary: 'keeps the k largest latents a row on average over the batch; saved as JumpReLU',
  config: Config,
  reads: 'site',

  state: ({ thresholdStart }): State => ({ threshold: thresholdStart === 'zero' ? 0 : -1 }),

  init: (shape, config, random): LinearParams => initLinear(shape, config, random),

  encode: (params, input, config, state) =>
    above(tf.relu(rankedPreActivations(params, input, config)), Math.max(0, state.threshold!)),

  decode: (params, latents, config) => decodeRanked(params, latents, config),

  loss(params, { input, target }, config, context) {
    const pre = rankedPreActivations(params, input, config)
    const latents = keepOfBatch(pre, context.k ?? config.k)
    const reconstruction = decodeRanked(params, latents, config)
    const terms: Record<string, Scalar> = {
      reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, context.variance),
    }
    const auxiliary = auxiliaryLoss(params, pre, target, reconstruction, config, context)
    if (auxiliary) terms.auxiliary = auxiliary
    return { terms, latents, reconstruction }
  },

  observe: nextThreshold,
  save: saveThresholded,
})
