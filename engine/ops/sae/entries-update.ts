/**
 * Gradients of a sparse autoencoder's weights from entries (`threshold.ts`), and their update in place, latent by latent;
 * equations in `engine/native/sae_entries_update.cc`. As in `update.ts` the optimiser is the dense one.
 */
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { callOp, noTensor } from '../native.ts'
import type { Entries } from './threshold.ts'
import { type OwnWeights, ruleNumbers, type UpdateRule } from './update.ts'

/** What entries were decoded as: their values [entries], and the gradient g [rows, outputs] of the reconstruction. */
export interface Decoded {
  readonly values: Tensor1D
  readonly g: Tensor2D
}

/** The gradients of a step, as far as entries have them. */
export interface EntriesGradient {
  /** Starts and latents of the entries. */
  readonly entries: Pick<Entries, 'starts' | 'indices'>
  /** With respect to the product x W of each entry, [entries]. */
  readonly dz: Tensor1D
  /** Reconstructions that have a gradient in the decoder; one, or two of the same entries. */
  readonly decoded: readonly [Decoded, Decoded?]
  /** Of the encoder's bias, where it is not the sum of dz: [latents]. */
  readonly bias?: Tensor1D | undefined
  /** What the product's gradient has in all rows besides the entries, [latents]. */
  readonly allRows?: Tensor1D | undefined
  /** Share of the decoder rows themselves in their gradient, from losses that weigh by decoder norm: [latents]. */
  readonly decoderScale?: Tensor1D | undefined
}

/** How far gradients may go together. */
export interface Clipping {
  /** Largest norm of all gradients; none when undefined. */
  readonly limit?: number | undefined
  /** Squared norm of the gradients of other weights than these four. */
  readonly others?: number
}

/** `norm` of all gradients, after projection and before clipping; `clip` is the factor that they were multiplied by. */
export interface EntriesReport {
  readonly norm: Scalar
  readonly clip: Scalar
}

/** Updates the weights in place. `x` [rows, width] is what the encoder read (centred already). */
export function entriesUpdate(
  weights: OwnWeights,
  x: Tensor2D,
  gradient: EntriesGradient,
  rule: UpdateRule,
  { limit = -1, others = 0 }: Clipping = {},
): EntriesReport {
  return tf.tidy(() => {
    const { starts, indices } = gradient.entries
    const [first, second] = gradient.decoded
    const slots = [weights.wEnc, weights.bEnc, weights.wDec, weights.bDec]
    const numbers = tf.tensor1d([...ruleNumbers(rule), limit, others])
    const inputs: Tensor[] = [
      x,
      starts,
      indices,
      gradient.dz,
      ...[first, second].flatMap(decoded => (decoded ? [decoded.values, decoded.g] : [noTensor(), noTensor()])),
      ...slots.flatMap(({ weight, first: mean, second: square }) => [weight, mean, square]),
      gradient.bias ?? noTensor(),
      gradient.allRows ?? noTensor(),
      gradient.decoderScale ?? noTensor(),
      weights.packed ?? tf.tensor1d([], 'int32'),
      numbers,
    ]
    const attributes = {
      signum: rule.optimiser === 'signum',
      project: rule.project,
      unit: rule.unit,
      centred: rule.centred,
    }
    const [norm, clip] = callOp('PipelineEntriesUpdate', attributes, inputs, 2)
    return { norm: norm as Scalar, clip: clip as Scalar }
  }) as unknown as EntriesReport
}
