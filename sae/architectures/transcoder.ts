/**
 * Transcoders: TopK latents of one site predict another, as the input and output of an MLP. Dunefsky et al. 2024,
 * arXiv:2406.11944; with a linear path from input to output beside the latents (skip transcoder), Paulo et al. 2025,
 * arXiv:2501.18823.
 *
 *   z = topK(relu(x W_enc + b_enc), k)
 *   ŷ = z W_dec + b_dec + x W_skipᵀ
 *
 * The decoder starts at zero, so that the first guess is the mean of the targets.
 */
import { z } from 'zod'
import { type Scalar, type Tensor2D, tf } from '../../engine/tf.ts'
import { defineArchitecture, type Saved } from '../architecture.ts'
import { topK } from '../layers/activations.ts'
import { auxiliaryLoss, auxiliarySettings } from '../layers/auxiliary.ts'
import {
  checkK,
  decodeLinear,
  type LinearParams,
  linearSettings,
  preActivations,
  randomDirections,
  reconstructionLoss,
} from '../layers/linear.ts'
import { saveLinear } from '../saved.ts'

const Config = z.strictObject({
  k: z.int().min(1).default(32).describe('Latents kept a row'),
  ...linearSettings,
  decoderBiasOnInput: z.literal(false).default(false).describe('Never: input and output are different sites'),
  ...auxiliarySettings,
})

type SkipParams = LinearParams & { wSkip?: Tensor2D }

function define(name: string, skip: boolean, summary: string) {
  return defineArchitecture({
    name,
    summary,
    config: Config,
    reads: 'target',
    training: { decoderNorm: 'free', projectGradient: false, decoderBias: 'mean' },

    init({ width, outputs, latents }, config, random): SkipParams {
      checkK(config.k, latents)
      const rows = randomDirections(latents, width, config.decoderInitNorm, random)
      const wEnc = tf.transpose(rows) as Tensor2D
      rows.dispose()
      return {
        wEnc,
        bEnc: tf.zeros([latents]),
        wDec: tf.zeros([latents, outputs]),
        bDec: tf.zeros([outputs]),
        ...(skip ? { wSkip: tf.zeros([outputs, width]) as Tensor2D } : {}),
      }
    },

    centre(params, input) {
      const bias = tf.tidy(() => tf.matMul(input.mean(0, true), params.wEnc).neg().as1D())
      params.bEnc.dispose()
      params.bEnc = bias
    },

    encode: (params, input, config) => topK(tf.relu(preActivations(params, input, config)), config.k),
    decode: (params, latents, _config, input) => decode(params, latents, input!),

    loss(params, { input, target }, config, context) {
      const pre = preActivations(params, input, config)
      const latents = topK(tf.relu(pre), context.k ?? config.k)
      const reconstruction = decode(params, latents, input)
      const terms: Record<string, Scalar> = {
        reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, context.variance),
      }
      const auxiliary = auxiliaryLoss(params, pre, target, reconstruction, config, context)
      if (auxiliary) terms.auxiliary = auxiliary
      return { terms, latents, reconstruction }
    },

    save(params, config): Saved {
      const tensors = params.wSkip ? { W_skip: params.wSkip.clone() } : {}
      return saveLinear(skip ? 'topk_skip_transcoder' : 'topk_transcoder', params, config, { k: config.k }, tensors)
    },
  })
}

function decode(params: SkipParams, latents: Tensor2D, input: Tensor2D): Tensor2D {
  const guess = decodeLinear(params, latents)
  return params.wSkip ? guess.add(tf.matMul(input, params.wSkip, false, true)) : guess
}

export const transcoder = define('transcoder', false, 'TopK latents of one site predict another')
export const skipTranscoder = define('skip-transcoder', true, 'a transcoder with a linear path beside its latents')
