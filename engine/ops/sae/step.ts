/**
 * One training step of an SAE of the TopK family by the fused ops: encode with top-k, decode and back, update. What it
 * computes is the gradient step of
 *
 *   z = topK(relu((x − b_dec) W_enc + b_enc), k)     x̂ = z W_dec + b_dec     loss = scale/2 · Σ ‖x̂ − y‖² + auxiliary
 *
 * where the auxiliary loss lets the k_aux largest dead latents explain y − x̂ (Gao et al. 2024, arXiv:2406.04093, A.2). Only
 * the encoder's product over all latents is dense; with dead latents there is one more over these alone. In a nested
 * dictionary every level has such a loss on the reconstruction from its latents alone, and may have an auxiliary one.
 */
import { type Scalar, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { type DeadLatents, explainRest } from './dead.ts'
import { sparseDecodeBack } from './decode.ts'
import { type ChosenLatents, topKEncode, withoutNorms } from './encode.ts'
import type { Screened } from './screening.ts'
import { type OwnWeights, sparseUpdate, type UpdateRule } from './update.ts'

export interface StepOptions {
  readonly k: number
  /** Chooses the latents of what the encoder reads, instead of the k largest of each row: as BatchTopK does. */
  readonly choose?: ((x: Tensor2D) => ChosenLatents) | undefined
  /**
   * ‖W_dec,i‖ or another positive number of every latent, [latents]: latents are chosen by their value times it, `choose`
   * included. Results name them by that product, and they are decoded without it.
   */
  readonly norms?: Tensor1D | undefined
  /** The loss's derivative with respect to x̂ is this times (x̂ − y); one number for each level. */
  readonly scale: number | readonly number[]
  /** In a nested dictionary, the first latent beyond each level, rising to all latents. */
  readonly ends?: readonly number[] | undefined
  /** Encode in bfloat16 products (`canRound`); weights, moments and all else stay float32. */
  readonly rounded: boolean
  readonly rule: Omit<UpdateRule, 'clip' | 'dry'>
  /** Largest norm of all gradients together; none when undefined. */
  readonly gradientClip?: number | undefined
  readonly dead?: DeadLatents | undefined
  /** Told the gradient with respect to x̂; gives Σ of squares of gradients beside these weights', which clipping counts. */
  readonly beside?: ((g: Tensor2D) => number) | undefined
  /** Told what screening left in question, where the step encodes by itself in float32. */
  readonly screened?: ((report: Screened) => void) | undefined
}

/** What a step gives; all tensors are the caller's. */
export interface StepResult extends ChosenLatents {
  /** Σ (x̂ − y)² of each row, before the update; [levels, rows]. */
  readonly errors: Tensor2D
  /** The auxiliary loss, scale/2 · Σ ‖guess − residual‖², before the update; where there are dead latents. */
  readonly auxiliaryLoss?: Scalar
  /** Of all gradients together, before clipping. */
  readonly norm: Scalar
  /** What clipping multiplied all gradients by. */
  readonly clip: Scalar
  /** Rows in which each latent was chosen with a value above zero, [latents] int32. */
  readonly counts: Tensor1D
}

/** Takes one step on rows `input` [rows, width] and `target` [rows, outputs], changing the weights in place. */
export function topKStep(weights: OwnWeights, input: Tensor2D, target: Tensor2D, options: StepOptions): StepResult {
  return tf.tidy(() => {
    const { k, rounded, norms, ends } = options
    const rule = { ...options.rule, auxiliaryBias: options.dead?.bias ?? false }
    const scales = typeof options.scale === 'number' ? [options.scale] : options.scale
    const [wEnc, wDec] = [weights.wEnc.weight as Tensor2D, weights.wDec.weight as Tensor2D]
    const [bEnc, bDec] = [weights.bEnc.weight as Tensor1D, weights.bDec.weight as Tensor1D]
    const x = rule.centred ? input.sub<Tensor2D>(bDec) : input
    const { packed } = weights
    const encode = {
      k,
      bias: bEnc,
      layout: 'out-in',
      rounded,
      packed,
      scale: norms,
      screened: options.screened,
    } as const
    const chosen = options.choose?.(x) ?? topKEncode(x, wEnc, encode)
    const used = withoutNorms(chosen, norms)
    const back = sparseDecodeBack(target, used, wDec, bDec, tf.tensor1d([...scales]), ends)
    const last = ends ? back.g.slice<Tensor2D>([(ends.length - 1) * input.shape[0], 0]) : back.g
    const auxiliary = options.dead && explainRest(weights, x, { ...back, last, scales }, options.dead, options)
    const gradient = { ...used, dz: back.dz, g: back.g, ends }
    const beside = options.beside?.(last) ?? 0
    let clip = 1
    if (options.gradientClip !== undefined) {
      const { norm } = sparseUpdate(weights, x, gradient, auxiliary, { ...rule, dry: true })
      clip = Math.min(1, options.gradientClip / (Math.hypot(norm.dataSync()[0]!, Math.sqrt(beside)) + 1e-6))
    }
    const { norm, counts } = sparseUpdate(weights, x, gradient, auxiliary, { ...rule, clip })
    const result = {
      ...{ values: chosen.values, indices: chosen.indices, errors: back.errors, counts },
      norm: beside > 0 ? norm.square().add(beside).sqrt() : norm,
      clip: tf.scalar(clip),
    }
    return auxiliary ? { ...result, auxiliaryLoss: auxiliary.loss } : result
  }) as unknown as StepResult
}
