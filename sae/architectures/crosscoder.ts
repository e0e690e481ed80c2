/**
 * Crosscoder: one set of latents reads several sites (layers, or two models) and reconstructs them all.
 * Lindsey et al. 2024, "Sparse crosscoders for cross-layer features and model diffing".
 *
 *   f    = relu(Σ_s x_s W_enc,s + b_enc)                    x̂_s = f W_dec,s + b_dec,s
 *   n_i  = Σ_s ‖W_dec,s,i‖
 *   loss = reconstruction(x, x̂) + λ · mean Σ_i f_i n_i      or, with `batchtopk`, the k·n largest f_i n_i of the batch
 *
 * Sites lie side by side in a row, so the weights are those of one wide SAE; decoder norms are per site and stay free.
 */
import { z } from 'zod'
import { type Scalar, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { defineArchitecture, type Saved, type State } from '../architecture.ts'
import { above } from '../layers/activations.ts'
import { linearSettings, randomDirections, reconstructionLoss, unitOf } from '../layers/linear.ts'
import { addBias } from '../layers/summation.ts'
import { keepOfBatch, nextThreshold, thresholdSettings } from './batchtopk.ts'
import { l1Settings } from './standard.ts'

const Config = z.strictObject({
  ...linearSettings,
  decoderBiasOnInput: z.literal(false).default(false).describe('Never: each site has a bias of its own'),
  decoderInitNorm: z.number().positive().default(0.1).describe('Norm of each decoder row at each site at the start'),
  activation: z
    .enum(['batchtopk', 'relu'])
    .default('batchtopk')
    .describe('Top-k over the batch, or ReLU under an L1 penalty'),
  k: z.number().positive().default(32).describe('Latents kept a row on average, with batchtopk'),
  l1Coefficient: l1Settings.l1Coefficient,
  ...thresholdSettings,
})

type CrosscoderParams = {
  wEnc: Tensor2D
  bEnc: Tensor1D
  /** [latents, sites, width of a site] */
  wSites: Tensor3D
  bDec: Tensor1D
}

/** Σ over sites of the decoder norms; [latents]. */
function siteNorms(wSites: Tensor3D): Tensor1D {
  return tf.sqrt(wSites.square().sum(2)).sum<Tensor1D>(1)
}

const flat = (wSites: Tensor3D) => wSites.reshape<never>([wSites.shape[0], -1]) as Tensor2D

function latentsOf({ wEnc, bEnc }: CrosscoderParams, input: Tensor2D): Tensor2D {
  return tf.relu(tf.matMul(input, wEnc).add<Tensor2D>(bEnc))
}

export const crosscoder = defineArchitecture({
  name: 'crosscoder',
  summary: 'one set of latents for several sites at once',
  config: Config,
  reads: 'sites',
  training: { decoderNorm: 'free', projectGradient: false, decoderBias: 'mean', foldDecoderNorm: false },

  state: ({ thresholdStart }): State => ({ threshold: thresholdStart === 'zero' ? 0 : -1 }),

  init({ width, latents, sites }, config, random): CrosscoderParams {
    // A row of norm √sites over all sites has norm 1, on average, at each.
    const rows = randomDirections(latents, width, config.decoderInitNorm * Math.sqrt(sites), random)
    const params = {
      wEnc: tf.transpose(rows) as Tensor2D,
      bEnc: tf.zeros([latents]) as Tensor1D,
      wSites: rows.reshape<never>([latents, sites, width / sites]) as Tensor3D,
      bDec: tf.zeros([width]) as Tensor1D,
    }
    rows.dispose()
    return params
  },

  encode(params, input, config, state) {
    const latents = latentsOf(params, input)
    if (config.activation === 'relu') return latents
    const norms = siteNorms(params.wSites)
    return above(latents.mul<Tensor2D>(norms), Math.max(0, state.threshold!)).div(norms)
  },

  decode: ({ wSites, bDec }, latents) => addBias(tf.matMul(latents, flat(wSites)), bDec),

  loss(params, { input, target }, config, { variance, sparsity, k }) {
    const { wSites, bDec } = params
    const norms = siteNorms(wSites)
    const ranked = latentsOf(params, input).mul<Tensor2D>(norms)
    const latents = config.activation === 'relu' ? ranked : keepOfBatch(ranked, k ?? config.k)
    const reconstruction = addBias(tf.matMul(latents.div<Tensor2D>(norms), flat(wSites)), bDec)
    const terms: Record<string, Scalar> = {
      reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, variance),
    }
    if (config.activation === 'relu')
      terms.sparsity = ranked
        .sum(1)
        .mean<Scalar>()
        .mul<Scalar>((config.l1Coefficient * sparsity) / unitOf(config, variance))
    return { terms, latents, reconstruction }
  },

  observe: (latents, config, context) =>
    config.activation === 'batchtopk' ? nextThreshold(latents, config, context) : context.state,

  save(params, config, state): Saved {
    const { bEnc, wEnc, wSites, bDec } = params
    const thresholded = config.activation === 'batchtopk'
    return {
      architecture: thresholded ? 'jumprelu_crosscoder' : 'crosscoder',
      config: { apply_b_dec_to_input: false, normalize_activations: 'none', sites: wSites.shape[1] },
      params: {
        W_enc: wEnc.clone(),
        b_enc: bEnc.clone(),
        W_dec: tf.tidy(() => flat(wSites).clone()),
        b_dec: bDec.clone(),
        ...(thresholded
          ? { threshold: tf.tidy(() => tf.scalar(Math.max(0, state.threshold!)).div<Tensor1D>(siteNorms(wSites))) }
          : {}),
      },
    }
  },
})
