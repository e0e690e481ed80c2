/** A control for validation: an SAE of the same shape whose decoder is random, so that its latents mean nothing. */
import { Random } from '../../core/random.ts'
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import { activationOf } from '../inference.ts'
import { randomDirections } from '../layers/linear.ts'
import { makeSae } from '../make.ts'
import type { Sae } from '../sae.ts'

/**
 * The same architecture, biases, thresholds and norms, but every decoder row points in a random direction, and every
 * encoder column along its decoder row, with the length it had. The original is left as it is.
 */
export function randomSae(sae: Sae, seed: number): Sae {
  const encoder = sae.params.W_enc
  if (encoder && encoder.rank !== 2) throw new Error('Only SAEs with one encoder have a random control.')
  activationOf(sae.architecture)
  const random = new Random(seed, 'random-decoder')
  const params = tf.tidy(() => {
    const directions = randomDirections(sae.latents, Math.max(sae.width, sae.outputs), 1, random)
    const unit = (width: number) => {
      const rows = directions.slice([0, 0], [sae.latents, width])
      return rows.div<Tensor2D>(rows.norm(2, 1, true))
    }
    const lengths = (tensor: Tensor, axis: number) => (tensor as Tensor2D).norm(2, axis) as Tensor1D
    const copies: Record<string, Tensor> = {}
    for (const [name, tensor] of Object.entries(sae.params)) copies[name] = tensor.clone()
    copies.W_dec = unit(sae.outputs).mul(lengths(sae.params.W_dec!, 1).expandDims(1))
    // Where there is none, the decoder encodes.
    if (encoder) copies.W_enc = tf.transpose(unit(sae.width)).mul(lengths(encoder, 0))
    return copies
  })
  const { architecture, config, metadata } = sae
  return makeSae({ architecture, config, metadata: { ...metadata, control: `random decoder, seed ${seed}` }, params })
}
