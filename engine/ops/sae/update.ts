/**
 * Gradients of a sparse autoencoder's weights from k latents a row, and their update in place, latent by latent: one pass
 * over weights and moments, equations in `engine/native/sae_update.cc`.
 *
 * The optimiser is the dense one: latents that no row used have gradient zero, their moments decay and their weights still
 * move, exactly as with dense tensors. `lazy` leaves them alone instead (torch's SparseAdam), which is another optimiser and
 * less memory traffic where few latents fire in a batch.
 */
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { callOp, hasOp, noTensor } from '../native.ts'
import type { ChosenLatents } from './encode.ts'

/** A weight and its moments, in memory of their own that updates change: never share it with another tensor. */
export interface OwnSlot {
  readonly weight: Tensor
  readonly first: Tensor
  readonly second: Tensor
}

/** A linear SAE in training: wEnc [latents, width] (the transpose of the usual), bEnc, wDec [latents, outputs], bDec. */
export interface OwnWeights {
  readonly wEnc: OwnSlot
  readonly bEnc: OwnSlot
  readonly wDec: OwnSlot
  readonly bDec: OwnSlot
  /** The encoder for rounded products (`packEncoder`), renewed with it. */
  readonly packed?: Tensor | undefined
}

/**
 * Latents, their gradients dz [rows, k], and the gradient g [rows, outputs] of what they were decoded to; with levels
 * [levels · rows, outputs], and where each level ends (`DecodeBack`).
 */
export interface SparseGradient extends ChosenLatents {
  readonly dz: Tensor2D
  readonly g: Tensor2D
  readonly ends?: readonly number[] | undefined
}

export interface UpdateRule {
  readonly optimiser: 'adam' | 'adamw' | 'signum'
  readonly rate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  /** Updates including this one. */
  readonly count: number
  /** Factor of all gradients, for clipping; default 1. */
  readonly clip?: number
  /** Take from the decoder gradient what is parallel to the decoder rows. */
  readonly project: boolean
  /** Bring decoder rows to norm 1 afterwards. */
  readonly unit: boolean
  /** The decoder bias was taken off the input, so it has a gradient through the encoder too. */
  readonly centred: boolean
  /** What the auxiliary latents were decoded to has the decoder bias in it. */
  readonly auxiliaryBias?: boolean
  readonly lazy?: boolean
  /** Change nothing: only the norm and the counts, for clipping. */
  readonly dry?: boolean
}

/** `norm` of all gradients together, after projection and before clipping; `counts` [latents] int32, how many rows used each. */
export interface UpdateReport {
  readonly norm: Scalar
  readonly counts: Tensor1D
}

/** Whether `sparseUpdate` can run here; it has no plain version apart from an SAE's own plain step. */
export function canUpdate(): boolean {
  return hasOp('PipelineSparseUpdate')
}

/** A copy in memory of its own, to be changed in place; of a matrix, with `turned`, its transpose. The caller disposes it. */
export function own(x: Tensor, turned = false): Tensor {
  return callOp('PipelineOwn', { turned }, [x], 1)[0]!
}

/** Zeros in memory of their own. The caller disposes them. */
export function ownZeros(shape: readonly number[]): Tensor {
  return tf.tidy(() => callOp('PipelineOwnZeros', {}, [tf.tensor1d([...shape], 'int32')], 1)[0]!)
}

/**
 * Updates the weights in place. `x` [rows, width] is what the encoder read (centred already). `auxiliary` is a second set of
 * latents of the same rows with a g of its own, in which no level has the gradients of later ones.
 */
export function sparseUpdate(
  weights: OwnWeights,
  x: Tensor2D,
  gradient: SparseGradient,
  auxiliary: SparseGradient | undefined,
  rule: UpdateRule,
): UpdateReport {
  return tf.tidy(() => {
    const none = noTensor()
    const noInts = tf.tensor1d([], 'int32')
    const set = (from: SparseGradient | undefined) =>
      from ? [from.values, from.indices, from.dz, from.g] : [none, noInts, none, none]
    const slots = [weights.wEnc, weights.bEnc, weights.wDec, weights.bDec]
    const numbers = tf.tensor1d([...ruleNumbers(rule), rule.clip ?? 1])
    const ends = (from: SparseGradient | undefined) => (from?.ends ? tf.tensor1d([...from.ends], 'int32') : noInts)
    const inputs = [
      x,
      ...set(gradient),
      ...set(auxiliary),
      ...slots.flatMap(({ weight, first, second }) => [weight, first, second]),
      weights.packed ?? noInts,
      numbers,
      ends(gradient),
      ends(auxiliary),
    ]
    const attributes = {
      signum: rule.optimiser === 'signum',
      project: rule.project,
      unit: rule.unit,
      lazy: rule.lazy ?? false,
      centred: rule.centred,
      dry: rule.dry ?? false,
      aux_bias: rule.auxiliaryBias ?? false,
    }
    const [norm, counts] = callOp('PipelineSparseUpdate', attributes, inputs, 2)
    return { norm: norm as Scalar, counts: counts as Tensor1D }
  }) as unknown as UpdateReport
}

/** The numbers of a rule in the order in which the ops read them. */
export function ruleNumbers({ rate, beta1, beta2, epsilon, count, optimiser, weightDecay }: UpdateRule): number[] {
  const decay = optimiser === 'adamw' ? weightDecay : 0
  return [rate, beta1, beta2, epsilon, 1 - beta1 ** count, Math.sqrt(1 - beta2 ** count), decay]
}
