/**
 * Cross-layer transcoder: the latents of each layer predict the MLP outputs of that layer and all later ones.
 * Ameisen et al. 2025, "Circuit tracing", §2. Equations in layers.ts.
 *
 *   loss = reconstruction over all layers, and
 *     batchtopk  nothing more: the batch keeps its k·n largest latents over all layers, by value times decoder norm
 *     relu       λ · mean Σ tanh(c f_i n_i)
 */
import { z } from 'zod'
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { defineArchitecture, type Params, type Saved, type State } from '../architecture.ts'
import { above } from '../layers/activations.ts'
import { decodeLayers, type LayerWeights, layerNorms, layerPreActivations } from '../layers/cross-layer.ts'
import { linearSettings, randomDirections, reconstructionLoss, unitOf } from '../layers/linear.ts'
import { keepOfBatch, nextThreshold, thresholdSettings } from './batchtopk.ts'

const Config = z.strictObject({
  ...linearSettings,
  decoderBiasOnInput: z.literal(false).default(false).describe('Never: input and output are different sites'),
  decoderInitNorm: z.number().positive().default(0.1).describe('Norm of each decoder row at each layer at the start'),
  activation: z
    .enum(['batchtopk', 'relu'])
    .default('batchtopk')
    .describe('Top-k over the batch, or ReLU under a tanh penalty'),
  k: z.number().positive().default(32).describe('Latents kept a row on average over all layers, with batchtopk'),
  l0Coefficient: z.number().min(0).default(0.001).describe('Weight of the tanh penalty, with relu'),
  tanhScale: z.number().positive().default(4).describe('Steepness of the tanh penalty'),
  ...thresholdSettings,
})

const layersOf = (params: Params): LayerWeights => ({
  wEnc: params.wEnc as Tensor3D,
  bEnc: params.bEnc as Tensor1D,
  wDec: Array.from({ length: params.wEnc!.shape[0]! }, (_, l) => params[`wDec${l}`] as Tensor2D),
  bDec: params.bDec as Tensor1D,
})

export const crossLayer = defineArchitecture({
  name: 'cross-layer',
  summary: 'the latents of each layer predict this layer and all later ones',
  config: Config,
  reads: 'layers',
  training: { decoderNorm: 'free', projectGradient: false, decoderBias: 'mean', foldDecoderNorm: false },

  state: ({ thresholdStart }): State => ({ threshold: thresholdStart === 'zero' ? 0 : -1 }),

  init({ width, outputs, latents, sites }, config, random): Params {
    const each = { width: width / sites, outputs: outputs / sites, latents: latents / sites }
    const encoders: Tensor2D[] = []
    const params: Params = { bEnc: tf.zeros([latents]), bDec: tf.zeros([outputs]) }
    for (let l = 0; l < sites; l++) {
      const rows = randomDirections(each.latents, each.width, 1, random)
      encoders.push(tf.transpose(rows) as Tensor2D)
      rows.dispose()
      const norm = config.decoderInitNorm * Math.sqrt(sites - l)
      params[`wDec${l}`] = randomDirections(each.latents, (sites - l) * each.outputs, norm, random)
    }
    params.wEnc = tf.stack(encoders)
    tf.dispose(encoders)
    return params
  },

  encode(params, input, config, state) {
    const weights = layersOf(params)
    const latents = tf.relu(layerPreActivations(weights, input))
    if (config.activation === 'relu') return latents
    const norms = layerNorms(weights.wDec)
    return above(latents.mul<Tensor2D>(norms), Math.max(0, state.threshold!)).div(norms)
  },

  decode: (params, latents) => decodeLayers(layersOf(params), latents),

  loss(params, { input, target }, config, { variance, sparsity, k }) {
    const weights = layersOf(params)
    const norms = layerNorms(weights.wDec)
    const ranked = tf.relu(layerPreActivations(weights, input)).mul<Tensor2D>(norms)
    const latents = config.activation === 'relu' ? ranked : keepOfBatch(ranked, k ?? config.k)
    const reconstruction = decodeLayers(weights, latents.div(norms))
    const terms: Record<string, Scalar> = {
      reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, variance),
    }
    if (config.activation === 'relu')
      terms.sparsity = ranked
        .mul(config.tanhScale / unitOf(config, variance))
        .tanh()
        .sum(1)
        .mean<Scalar>()
        .mul<Scalar>(config.l0Coefficient * sparsity)
    return { terms, latents, reconstruction }
  },

  observe: (latents, config, context) =>
    config.activation === 'batchtopk' ? nextThreshold(latents, config, context) : context.state,

  save(params, config, state): Saved {
    const { wEnc, bEnc, wDec, bDec } = layersOf(params)
    const threshold = config.activation === 'batchtopk' ? Math.max(0, state.threshold!) : 0
    const decoders: Record<string, Tensor> = {}
    wDec.forEach((weight, l) => {
      decoders[`W_dec_${l}`] = weight.clone()
    })
    return {
      architecture: 'cross_layer_transcoder',
      config: { apply_b_dec_to_input: false, normalize_activations: 'none', layers: wDec.length },
      params: {
        W_enc: wEnc.clone(),
        b_enc: bEnc.clone(),
        ...decoders,
        b_dec: bDec.clone(),
        threshold: tf.tidy(() => tf.scalar(threshold).div<Tensor1D>(layerNorms(wDec))),
      },
    }
  },
})
