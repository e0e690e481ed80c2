/**
 * One training step of a TopK SAE by the fused ops: encode with top-k, decode and back, update. What it computes is the
 * gradient step of
 *
 *   z = topK(relu((x − b_dec) W_enc + b_enc), k)     x̂ = z W_dec + b_dec     loss = scale/2 · Σ ‖x̂ − y‖² + auxiliary
 *
 * where the auxiliary loss lets the k_aux largest dead latents explain y − x̂ (Gao et al. 2024, arXiv:2406.04093, A.2). Only
 * the encoder's product over all latents is dense; with dead latents there is one more over these alone.
 */
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { sparseDecodeBack } from './decode.ts'
import { type ChosenLatents, topKEncode } from './encode.ts'
import { type OwnWeights, sparseUpdate, type UpdateRule } from './update.ts'

/** The auxiliary loss of a step. */
export interface DeadLatents {
  /** Which latents are dead, ascending; at least one. */
  readonly latents: Int32Array
  readonly k: number
  /** The loss's derivative with respect to its guess is this times (guess − residual); `residual` is y − x̂. */
  readonly scale: (residual: Tensor2D) => Scalar
}

export interface StepOptions {
  readonly k: number
  /** Chooses the latents of what the encoder reads, instead of the k largest of each row: as BatchTopK does. */
  readonly choose?: ((x: Tensor2D) => ChosenLatents) | undefined
  /** The loss's derivative with respect to x̂ is this times (x̂ − y). */
  readonly scale: number
  /** Encode in bfloat16 products (`canRound`); weights, moments and all else stay float32. */
  readonly rounded: boolean
  readonly rule: Omit<UpdateRule, 'clip' | 'dry'>
  /** Largest norm of all gradients together; none when undefined. */
  readonly gradientClip?: number | undefined
  readonly dead?: DeadLatents | undefined
}

/** What a step gives; all tensors are the caller's. */
export interface StepResult extends ChosenLatents {
  /** Σ (x̂ − y)² of each row, before the update. */
  readonly errors: Tensor1D
  /** Σ (guess − residual)² of each row, where there are dead latents. */
  readonly auxiliaryErrors?: Tensor1D
  /** Gradient with respect to x̂; x̂ is y + g / scale. */
  readonly g: Tensor2D
  /** Of all gradients together, before clipping. */
  readonly norm: Scalar
  /** Rows in which each latent was chosen with a value above zero, [latents] int32. */
  readonly counts: Tensor1D
}

/** Takes one step on rows `input` [rows, width] and `target` [rows, outputs], changing the weights in place. */
export function topKStep(weights: OwnWeights, input: Tensor2D, target: Tensor2D, options: StepOptions): StepResult {
  return tf.tidy(() => {
    const { rule, k, rounded } = options
    const [wEnc, wDec] = [weights.wEnc.weight as Tensor2D, weights.wDec.weight as Tensor2D]
    const [bEnc, bDec] = [weights.bEnc.weight as Tensor1D, weights.bDec.weight as Tensor1D]
    const x = rule.centred ? input.sub<Tensor2D>(bDec) : input
    const encode = { k, bias: bEnc, layout: 'out-in', rounded, packed: weights.packed } as const
    const chosen = options.choose?.(x) ?? topKEncode(x, wEnc, encode)
    const back = sparseDecodeBack(target, chosen, wDec, bDec, tf.scalar(options.scale))
    const auxiliary = options.dead ? explain(weights, x, back.g, options.dead, options) : undefined
    const gradient = { ...chosen, dz: back.dz, g: back.g }
    let clip = 1
    if (options.gradientClip !== undefined) {
      const { norm } = sparseUpdate(weights, x, gradient, auxiliary, { ...rule, dry: true })
      clip = Math.min(1, options.gradientClip / (norm.dataSync()[0]! + 1e-6))
    }
    const { norm, counts } = sparseUpdate(weights, x, gradient, auxiliary, { ...rule, clip })
    const { values, indices } = chosen
    const { errors, g } = back
    const result = { values, indices, errors, g, norm, counts }
    return auxiliary ? { ...result, auxiliaryErrors: auxiliary.errors } : result
  }) as unknown as StepResult
}

/** The largest dead latents of each row, decoded to what the live ones left over. */
function explain(weights: OwnWeights, x: Tensor2D, g: Tensor2D, dead: DeadLatents, { scale, rounded }: StepOptions) {
  const at = tf.tensor1d(dead.latents.slice(), 'int32')
  const own: Tensor2D = (weights.wEnc.weight as Tensor2D).gather(at)
  const bias: Tensor1D = (weights.bEnc.weight as Tensor1D).gather(at)
  const k = Math.min(dead.k, dead.latents.length)
  const chosen = topKEncode(x, own, { k, bias, layout: 'out-in', rounded })
  const indices = at.gather<Tensor>(chosen.indices) as Tensor2D
  const residual = g.div<Tensor2D>(-scale)
  const { values } = chosen
  const wDec: Tensor = weights.wDec.weight
  const back = sparseDecodeBack(residual, { values, indices }, wDec as Tensor2D, null, dead.scale(residual))
  return { values, indices, dz: back.dz, g: back.g, errors: back.errors }
}
