/**
 * JumpReLU sparse autoencoder: a latent is on when it is above a threshold of its own, which is learned through a
 * straight-through gradient. Rajamanoharan et al. 2024, "Jumping ahead", arXiv:2407.14435.
 *
 *   f    = π · 1[π > θ]
 *   loss = reconstruction(x, x̂) + sparsity, which is one of
 *     step    λ · L0                     (L0 by the straight-through step function)
 *     tanh    λ · mean Σ tanh(c f_i n_i)                          (Anthropic, January 2025)
 *     target  λ · (L0 / target − 1)²                              (Gemma Scope 2)
 *   + preActCoefficient · mean Σ over dead latents of relu(θ − π_i) n_i
 *
 * Thresholds are learned as logarithms (`log`, always positive) or as they are (`direct`).
 */
import { z } from 'zod'
import { hostValues } from '../../engine/host.ts'
import { type Scalar, type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import { defineArchitecture } from '../architecture.ts'
import { above, jumpRelu, step } from '../layers/activations.ts'
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

/** Settings of thresholds and their gradient. */
const jumpSettings = {
  thresholdForm: z
    .enum(['log', 'direct'])
    .default('log')
    .describe('Learn the logarithm of the threshold, or the threshold'),
  initThreshold: z
    .number()
    .positive()
    .default(0.06)
    .describe('Threshold at the start (in deviations of the data when normalised)'),
  bandwidth: z
    .number()
    .positive()
    .default(0.02)
    .describe('Width of the straight-through gradient around the threshold'),
  jumpToInput: z
    .boolean()
    .default(false)
    .describe('Pass the smoothed gradient of the jump on to the pre-activations too'),
}

const Config = z.strictObject({
  ...linearSettings,
  ...jumpSettings,
  sparsityLoss: z.enum(['step', 'tanh', 'target']).default('target').describe('Form of the sparsity loss'),
  l0Coefficient: z.number().min(0).default(0.3).describe('Weight of the sparsity loss'),
  targetL0: z.number().positive().default(32).describe('Latents a row that the `target` loss aims at'),
  tanhScale: z.number().positive().default(4).describe('Steepness of the tanh loss'),
  preActCoefficient: z
    .number()
    .min(0)
    .default(0.3)
    .describe('Weight of the loss that pulls dead latents over their threshold'),
  l0OfLatents: z
    .boolean()
    .default(false)
    .describe(
      'Count L0 on latents instead of pre-activations (a known fault of dictionary_learning: its gradient is wrong)',
    ),
})

type JumpParams = LinearParams & { threshold: Tensor1D }

const thresholdOf = ({ threshold }: { threshold: Tensor1D }, form: string): Tensor1D =>
  form === 'log' ? threshold.exp() : threshold

export const jumprelu = defineArchitecture({
  name: 'jumprelu',
  summary: 'latents above a learned threshold of their own',
  config: Config,
  reads: 'site',
  // A threshold learns only from the few values near it: at the rate of the others, latents stay behind their thresholds.
  rateFactor: 3,

  init(shape, config, random): JumpParams {
    const start = config.thresholdForm === 'log' ? Math.log(config.initThreshold) : config.initThreshold
    return { ...initLinear(shape, config, random), threshold: tf.fill([shape.latents], start) }
  },

  centre(params, input, config) {
    const variance = hostValues(() => input.sub(input.mean(0)).square().sum(1).mean())[0]!
    const unit = unitOf(config, variance)
    const moved = tf.tidy(() =>
      config.thresholdForm === 'log'
        ? params.threshold.add<Tensor1D>(Math.log(unit))
        : params.threshold.mul<Tensor1D>(unit),
    )
    params.threshold.dispose()
    params.threshold = moved
  },

  encode: (params, input, config) =>
    above(tf.relu(preActivations(params, input, config)), thresholdOf(params, config.thresholdForm)),

  decode: (params, latents) => decodeLinear(params, latents),

  loss(params, { input, target }, config, context) {
    const unit = unitOf(config, context.variance)
    const bandwidth = config.bandwidth * unit
    const pre = preActivations(params, input, config)
    const threshold = thresholdOf(params, config.thresholdForm)
    const latents = jumpRelu(pre, threshold, bandwidth, config.jumpToInput)
    const reconstruction = decodeLinear(params, latents)
    const coefficient = config.l0Coefficient * context.sparsity
    const l0 = () =>
      step(config.l0OfLatents ? latents : pre, threshold, bandwidth, config.jumpToInput)
        .sum<Tensor1D>(1)
        .mean<Scalar>()
    const terms: Record<string, Scalar> = {
      reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, context.variance),
    }
    if (config.sparsityLoss === 'step') terms.sparsity = l0().mul(coefficient)
    else if (config.sparsityLoss === 'target')
      terms.sparsity = l0().div(config.targetL0).sub(1).square().mul(coefficient)
    else terms.sparsity = smoothCount(latents, params.wDec, config.tanhScale / unit).mul(coefficient)
    if (config.preActCoefficient > 0 && context.dead)
      terms.preActivation = tf
        .relu(threshold.sub<Tensor2D>(pre))
        .mul(context.dead)
        .mul(decoderNorms(params.wDec))
        .sum(1)
        .mean<Scalar>()
        .mul(config.preActCoefficient / unit)
    return { terms, latents, reconstruction }
  },

  save(params, config) {
    const threshold = tf.tidy(() => thresholdOf(params, config.thresholdForm).clone())
    return saveLinear('jumprelu', params, config, {}, { threshold })
  },
})

/** mean over rows of Σ tanh(c f_i n_i): a count of latents that has a slope. */
function smoothCount(latents: Tensor2D, wDec: Tensor2D, scale: number): Scalar {
  return latents.mul<Tensor2D>(decoderNorms(wDec)).mul<Tensor2D>(scale).tanh().sum(1).mean<Scalar>()
}
