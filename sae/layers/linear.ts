/**
 * The linear parts that most architectures share.
 *
 *   π  = (x − b_dec) W_enc + b_enc        (without b_dec where `decoderBiasOnInput` is off)
 *   x̂ = z W_dec + b_dec
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import { type Scalar, type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import type { Shape } from '../architecture.ts'
import { addBias, columnSums, totalSum } from './summation.ts'

/** Settings of the linear parts and of the reconstruction loss. */
export const linearSettings = {
  reconstruction: z
    .enum(['normalised', 'sum', 'mean', 'fvu', 'norm'])
    .default('normalised')
    .describe(
      'Reconstruction loss of a row, averaged over rows: squared error over the variance of the data (normalised), ' +
        'summed over width (sum), averaged over width (mean), over the variance of the batch (fvu), or its root (norm)',
    ),
  decoderBiasOnInput: z.boolean().default(true).describe('Subtract the decoder bias from the input before encoding'),
  decoderInitNorm: z.number().positive().default(1).describe('Norm of each decoder row at the start'),
}

export type LinearParams = {
  wEnc: Tensor2D
  bEnc: Tensor1D
  wDec: Tensor2D
  bDec: Tensor1D
}

/** `rows` random directions in `width` dimensions, each of the given norm; [rows, width]. */
export function randomDirections(rows: number, width: number, norm: number, random: Random): Tensor2D {
  const values = random.normals(rows * width)
  for (let r = 0; r < rows; r++) {
    let square = 0
    for (let i = r * width; i < (r + 1) * width; i++) square += values[i]! * values[i]!
    const scale = norm / Math.sqrt(square || 1)
    for (let i = r * width; i < (r + 1) * width; i++) values[i]! *= scale
  }
  return tf.tensor2d(values, [rows, width])
}

/** Decoder rows are random directions of equal norm, the encoder is their transpose, the biases are zero. */
export function initLinear(shape: Shape, config: { decoderInitNorm: number }, random: Random): LinearParams {
  const wDec = randomDirections(shape.latents, shape.outputs, config.decoderInitNorm, random)
  const wEnc = tf.transpose(wDec) as Tensor2D
  return { wEnc, bEnc: tf.zeros([shape.latents]), wDec, bDec: tf.zeros([shape.outputs]) }
}

/** What the encoder sees: the input, without the decoder bias where it is to be subtracted. */
export function centred(input: Tensor2D, bDec: Tensor1D, decoderBiasOnInput: boolean): Tensor2D {
  return decoderBiasOnInput ? input.sub(bDec) : input
}

/** Pre-activations π [rows, latents]. */
export function preActivations(
  { wEnc, bEnc, bDec }: LinearParams,
  input: Tensor2D,
  { decoderBiasOnInput }: { decoderBiasOnInput: boolean },
): Tensor2D {
  return tf.matMul(centred(input, bDec, decoderBiasOnInput), wEnc).add(bEnc)
}

/** x̂ = z W_dec + b_dec. */
export function decodeLinear({ wDec, bDec }: { wDec: Tensor2D; bDec: Tensor1D }, latents: Tensor2D): Tensor2D {
  return addBias(tf.matMul(latents, wDec), bDec)
}

/** ‖W_dec,i‖ of every latent; [latents]. */
export function decoderNorms(wDec: Tensor2D): Tensor1D {
  return tf.sqrt(wDec.square().sum<Tensor1D>(1))
}

/** The reconstruction loss named `kind`. `variance` is that of the data, per row. */
export function reconstructionLoss(kind: string, target: Tensor2D, guess: Tensor2D, variance: number): Scalar {
  const error = target.sub<Tensor2D>(guess)
  switch (kind) {
    case 'sum':
      return error.square().sum(1).mean()
    case 'mean':
      return error.square().mean()
    case 'normalised':
      return error
        .square()
        .sum(1)
        .mean()
        .div(variance || 1)
    case 'fvu':
      return error.square().sum().div(spread(target))
    case 'norm':
      return safeRoot(error.square().sum<Tensor1D>(1)).mean()
    default:
      throw new Error(`Unknown reconstruction loss ${kind}.`)
  }
}

/**
 * The unit in which sparsity settings are meant: with the `normalised` loss coefficients, thresholds and bandwidths are in
 * units of the data's deviation (√variance), so that they carry over between sites and models; else they are absolute.
 */
export function unitOf(config: { reconstruction: string }, variance: number): number {
  return config.reconstruction === 'normalised' && variance > 0 ? Math.sqrt(variance) : 1
}

/** Σ‖y − ȳ‖² over the rows; 1 where they are all equal, so that a quotient by it stays finite. */
export function spread(rows: Tensor2D): Scalar {
  return tf.tidy(() => {
    const mean = columnSums(rows).div(rows.shape[0])
    const total = totalSum(rows.sub(mean).square())
    return tf.where(total.greater(0), total, tf.onesLike(total)) as Scalar
  })
}

/** √x whose gradient at 0 is 0 instead of infinite. */
function safeRoot<T extends Tensor1D>(x: T): T {
  return tf.customGrad((input, save) => {
    const root = (input as T).sqrt()
    ;(save as (tensors: unknown[]) => void)([root])
    return {
      value: root,
      gradFunc: (dy: unknown, saved: unknown[]) => tf.divNoNan(dy as T, (saved as T[])[0]!.mul(2)) as never,
    }
  })(x) as T
}

/** Throws unless at most `latents` latents may be kept a row. */
export function checkK(k: number, latents: number): void {
  if (k > latents)
    throw new UserError(`k must be at most latents, but k is ${k} and latents is ${latents}.`, {
      fix: `Lower k to ${latents} or less, or raise latents.`,
    })
}
