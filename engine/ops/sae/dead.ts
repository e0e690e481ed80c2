/**
 * The auxiliary loss of a step: the largest dead latents of each row explain what the live ones leave over (AuxK, Gao et al.
 * 2024, arXiv:2406.04093, A.2), all of them or level by level.
 */
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { sparseDecodeBack } from './decode.ts'
import { type ChosenLatents, topKEncode, withoutNorms } from './encode.ts'
import type { OwnWeights, SparseGradient } from './update.ts'

/** Which latents are dead, and how they are asked to explain the rest. */
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

/** How the dead latents' encoder works: as that of the step. */
interface Encoding {
  readonly norms?: Tensor1D | undefined
  readonly rounded: boolean
  readonly ends?: readonly number[] | undefined
}

/** What the live latents leave over, as gradients of the step's reconstructions. */
interface Rest {
  /** Of each level, with those of later levels in it (`DecodeBack`). */
  readonly g: Tensor2D
  /** Of the last level. */
  readonly last: Tensor2D
  /** What each level's error was multiplied by. */
  readonly scales: readonly number[]
}

/** The gradients of the auxiliary loss with respect to the dead latents of each row and to what they decode to, and the loss. */
export interface Explained extends SparseGradient {
  readonly loss: Scalar
}

/** Lets dead latents explain the rest of rows that the encoder read as `x`. Nothing is tidied. */
export function explainRest(
  weights: OwnWeights,
  x: Tensor2D,
  { g, last, scales }: Rest,
  dead: DeadLatents,
  encoding: Encoding,
): Explained {
  const { ends } = encoding
  if (!dead.perLevel || !ends)
    return explain(weights, x, last.div<Tensor2D>(-scales.at(-1)!), dead.latents, dead, encoding)
  const [rows] = x.shape
  const block = (level: number) => g.slice<Tensor2D>([level * rows, 0], [rows, -1])
  const parts = ends.map((end, level) => {
    const latents = dead.latents.filter(latent => latent >= (ends[level - 1] ?? 0) && latent < end)
    if (latents.length === 0) return undefined
    const own = level + 1 < ends.length ? block(level).sub<Tensor2D>(block(level + 1)) : last
    return explain(weights, x, own.div<Tensor2D>(-scales[level]!), latents, dead, encoding)
  })
  const made = parts.filter(part => part !== undefined)
  const beside = (sets: Tensor2D[]) => tf.concat(sets, 1) as Tensor2D
  return {
    values: beside(made.map(({ values }) => values)),
    indices: beside(made.map(({ indices }) => indices)),
    dz: beside(made.map(({ dz }) => dz)),
    g: tf.concat(
      parts.map(part => part?.g ?? (tf.zerosLike(last) as Tensor2D)),
      0,
    ) as Tensor2D,
    ends,
    loss: tf.addN(made.map(({ loss }) => loss)),
  }
}

/** The largest of these dead latents of each row, decoded to a residual. */
function explain(
  weights: OwnWeights,
  x: Tensor2D,
  residual: Tensor2D,
  latents: Int32Array,
  dead: DeadLatents,
  { norms: all, rounded }: Encoding,
): Explained {
  const at = tf.tensor1d(latents.slice(), 'int32')
  const own: Tensor2D = (weights.wEnc.weight as Tensor2D).gather(at)
  const bias: Tensor1D = (weights.bEnc.weight as Tensor1D).gather(at)
  const norms: Tensor1D | undefined = all?.gather(at)
  const k = Math.min(dead.k, latents.length)
  const chosen = dead.signed
    ? signedTop(x, own, bias, norms, k, at)
    : topKEncode(x, own, { k, bias, layout: 'out-in', rounded, scale: norms, names: at })
  const { values, indices } = withoutNorms(chosen, all)
  const wDec = weights.wDec.weight as Tensor2D
  const bDec = dead.bias ? (weights.bDec.weight as Tensor1D) : null
  const scale = dead.scale(residual, latents.length)
  const back = sparseDecodeBack(residual, { values, indices }, wDec, bDec, tf.scalar(scale))
  return { values, indices, dz: back.dz, g: back.g, loss: back.errors.sum().mul<Scalar>(scale / 2) }
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
