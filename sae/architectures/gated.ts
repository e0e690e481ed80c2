/**
 * Gated sparse autoencoder: one path decides which latents are on, another how large they are, with shared directions.
 * Rajamanoharan et al. 2024, "Improving dictionary learning with gated sparse autoencoders", arXiv:2404.16014.
 *
 *   π    = (x − b_dec) W_enc + b_gate
 *   f    = 1[π > 0] · relu(((x − b_dec) W_enc) e^{r_mag} + b_mag)
 *   loss = reconstruction(x, x̂) + λ · mean Σ relu(π_i) n_i + reconstruction(x, relu(π) W_dec + b_dec)
 *
 * The last term trains the gate; in the paper the decoder is frozen in it (`detachDecoder`), in SAELens it is not.
 */
import { z } from 'zod'
import { type Scalar, type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import { defineArchitecture, type Saved } from '../architecture.ts'
import { detach } from '../layers/activations.ts'
import { centred, decodeLinear, initLinear, linearSettings, reconstructionLoss, unitOf } from '../layers/linear.ts'
import { l1Settings, weighted } from './standard.ts'

const Config = z.strictObject({
  ...linearSettings,
  ...l1Settings,
  detachDecoder: z
    .boolean()
    .default(true)
    .describe('Freeze the decoder in the loss that trains the gate, as the paper does'),
})

type GatedParams = {
  wEnc: Tensor2D
  bGate: Tensor1D
  rMag: Tensor1D
  bMag: Tensor1D
  wDec: Tensor2D
  bDec: Tensor1D
}

function paths({ wEnc, bGate, rMag, bMag, bDec }: GatedParams, input: Tensor2D, decoderBiasOnInput: boolean) {
  const shared = tf.matMul(centred(input, bDec, decoderBiasOnInput), wEnc)
  const gate = shared.add<Tensor2D>(bGate)
  const open = tf.greater(detach(gate), 0).cast('float32')
  const latents = tf.relu(shared.mul(rMag.exp()).add<Tensor2D>(bMag)).mul<Tensor2D>(open)
  return { gate, latents }
}

export const gated = defineArchitecture({
  name: 'gated',
  summary: 'a gate decides which latents are on, a second path how large they are',
  config: Config,
  reads: 'site',

  init(shape, config, random): GatedParams {
    const { wEnc, bEnc, wDec, bDec } = initLinear(shape, config, random)
    return { wEnc, bGate: bEnc, rMag: tf.zerosLike(bEnc), bMag: tf.zerosLike(bEnc), wDec, bDec }
  },

  encode: (params, input, config) => paths(params, input, config.decoderBiasOnInput).latents,
  decode: (params, latents) => decodeLinear(params, latents),

  loss(params, { input, target }, config, { variance, sparsity }) {
    const { gate, latents } = paths(params, input, config.decoderBiasOnInput)
    const reconstruction = decodeLinear(params, latents)
    const on = tf.relu(gate)
    const { wDec, bDec } = params
    const byGate = decodeLinear(config.detachDecoder ? { wDec: detach(wDec), bDec: detach(bDec) } : params, on)
    return {
      terms: {
        reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, variance),
        sparsity: weighted(on, wDec, config.weightByDecoderNorm)
          .sum(1)
          .mean<Scalar>()
          .mul<Scalar>((config.l1Coefficient * sparsity) / unitOf(config, variance)),
        auxiliary: reconstructionLoss(config.reconstruction, target, byGate, variance),
      },
      latents,
      reconstruction,
    }
  },

  save({ wEnc, bGate, rMag, bMag, wDec, bDec }, config): Saved {
    return {
      architecture: 'gated',
      config: { apply_b_dec_to_input: config.decoderBiasOnInput, normalize_activations: 'none' },
      params: {
        W_enc: wEnc.clone(),
        b_gate: bGate.clone(),
        r_mag: rMag.clone(),
        b_mag: bMag.clone(),
        W_dec: wDec.clone(),
        b_dec: bDec.clone(),
      },
    }
  },
})
