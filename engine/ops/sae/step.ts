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
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { sparseDecodeBack } from './decode.ts'
import { type ChosenLatents, topKEncode } from './encode.ts'
import { type OwnWeights, type SparseGradient, sparseUpdate, type UpdateRule } from './update.ts'

/** The auxiliary loss of a step. */
export interface DeadLatents {
  /** Which latents are dead, ascending; at least one. */
  readonly latents: Int32Array
  readonly k: number
  /**
   * The loss's derivative with respect to its guess is this times (guess − residual), where `count` latents are dead;
   * `residual` is y − x̂.
   */
  readonly scale: (residual: Tensor2D, count: number) => number
  /** The dead latents of each level explain what that level leaves over. Every level's `scale` must be other than 0 then. */
  readonly perLevel?: boolean | undefined
  /** Choose among pre-activations as they are, negative ones too, instead of their ReLU. */
  readonly signed?: boolean | undefined
  /** The guess has the decoder bias in it. */
  readonly bias?: boolean | undefined
}

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
    const encode = { k, bias: bEnc, layout: 'out-in', rounded, packed: weights.packed, scale: norms } as const
    const chosen = options.choose?.(x) ?? topKEncode(x, wEnc, encode)
    const used = withoutNorms(chosen, norms)
    const back = sparseDecodeBack(target, used, wDec, bDec, tf.tensor1d([...scales]), ends)
    const last = ends ? back.g.slice<Tensor2D>([(ends.length - 1) * input.shape[0], 0]) : back.g
    const auxiliary = options.dead && explain(weights, x, back.g, scales, options.dead, options)
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
    return auxiliary ? { ...result, auxiliaryLoss: tf.scalar(auxiliary.loss) } : result
  }) as unknown as StepResult
}

/** The latents themselves, of latents times norms. */
function withoutNorms({ values, indices }: ChosenLatents, norms: Tensor1D | undefined): ChosenLatents {
  if (!norms) return { values, indices }
  return { values: tf.divNoNan(values, norms.gather(indices.flatten()).reshape(values.shape)), indices }
}

/**
 * The largest dead latents of each row, decoded to what the live ones left over: all of them, or level by level. `g` are the
 * gradients of the levels' reconstructions, each with those of later levels in it.
 */
function explain(
  weights: OwnWeights,
  x: Tensor2D,
  g: Tensor2D,
  scales: readonly number[],
  dead: DeadLatents,
  options: StepOptions,
): (SparseGradient & { loss: number }) | undefined {
  const [rows] = x.shape
  const levels = scales.length
  const block = (level: number) => g.slice<Tensor2D>([level * rows, 0], [rows, -1])
  if (!dead.perLevel || levels === 1)
    return explainWith(weights, x, block(levels - 1).div<Tensor2D>(-scales.at(-1)!), dead.latents, dead, options)
  const parts = options.ends!.map((end, level) => {
    const latents = dead.latents.filter(latent => latent >= (options.ends![level - 1] ?? 0) && latent < end)
    if (latents.length === 0) return undefined
    const own = level + 1 < levels ? block(level).sub<Tensor2D>(block(level + 1)) : block(level)
    return explainWith(weights, x, own.div<Tensor2D>(-scales[level]!), latents, dead, options)
  })
  const made = parts.filter(part => part !== undefined)
  const beside = (key: 'values' | 'indices' | 'dz') =>
    tf.concat(
      made.map(part => part[key]),
      1,
    ) as Tensor2D
  return {
    ...{ values: beside('values'), indices: beside('indices'), dz: beside('dz') },
    g: tf.concat(
      parts.map(part => part?.g ?? tf.zeros([rows, g.shape[1]])),
      0,
    ) as Tensor2D,
    ends: options.ends,
    loss: made.reduce((sum, { loss }) => sum + loss, 0),
  }
}

/** The largest of these dead latents of each row, decoded to a residual. */
function explainWith(
  weights: OwnWeights,
  x: Tensor2D,
  residual: Tensor2D,
  latents: Int32Array,
  dead: DeadLatents,
  options: StepOptions,
) {
  const at = tf.tensor1d(latents.slice(), 'int32')
  const own: Tensor2D = (weights.wEnc.weight as Tensor2D).gather(at)
  const bias: Tensor1D = (weights.bEnc.weight as Tensor1D).gather(at)
  const norms: Tensor1D | undefined = options.norms?.gather(at)
  const k = Math.min(dead.k, latents.length)
  const chosen = dead.signed
    ? signedTop(x, own, bias, norms, k, at)
    : topKEncode(x, own, { k, bias, layout: 'out-in', rounded: options.rounded, scale: norms, names: at })
  const { values, indices } = withoutNorms(chosen, options.norms)
  const wDec = weights.wDec.weight as Tensor2D
  const bDec = dead.bias ? (weights.bDec.weight as Tensor1D) : null
  const scale = dead.scale(residual, latents.length)
  const back = sparseDecodeBack(residual, { values, indices }, wDec, bDec, tf.scalar(scale))
  return { values, indices, dz: back.dz, g: back.g, loss: (scale / 2) * back.errors.sum().dataSync()[0]! }
}

/** The k largest pre-activations of each row, whatever their sign, of latents that are called `names`. */
function signedTop(
  x: Tensor2D,
  own: Tensor2D,
  bias: Tensor1D,
  norms: Tensor1D | undefined,
  k: number,
  names: Tensor1D,
): ChosenLatents {
  const pre = tf.matMul(x, own, false, true).add<Tensor2D>(bias)
  const { values, indices } = tf.topk(norms ? pre.mul(norms) : pre, k, true)
  return {
    // The ops read a value of 0 as "not chosen", but one that was chosen has a gradient.
    values: tf.where(values.equal(0), 1e-30, values) as Tensor2D,
    indices: names.gather<Tensor>(indices as Tensor1D) as Tensor2D,
  }
}
