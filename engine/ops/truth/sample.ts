/**
 * Samples of known features. Sample s has standard normal factors ε [rank]; feature i by itself fires where
 *
 *   u_i < P(N > t_i),   t_i = cut_i − factor_i · ε          u uniform
 *
 * which is a Gaussian copula: with noise η of its own, √(1 − ‖F_i‖²) η + F_i · ε exceeds a threshold, both sides divided by
 * the root. Where it fires its size is a_i = max(0, mean_i + deviation_i N). A child stands only where its parent does; of
 * several children of one parent that would, one stands, each as likely as another. Values and the sample are
 *
 *   z_i = a_i              of roots and features without a parent
 *   z_i = a_i z_p / mean_p of children of p
 *   x   = bias + Σ z_i directions_i
 *
 * All randomness is by place (`words.ts`), so that sample s is the same in whatever batch and thread it is drawn.
 */
import { Random } from '../../../core/random.ts'
import { type Tensor, type Tensor2D, tf } from '../../tf.ts'
import { callOp, hasOp } from '../native.ts'
import { type Fired, type SampleTables, tailAt, tailTable } from './tables.ts'
import { keyOf, normalFrom, type SeedWords, uniformFrom, wordOf } from './words.ts'

const opName = 'PipelineTruth'

export interface Samples {
  /** [rows, width]; the caller's. */
  readonly rows: Tensor2D
  readonly fired: Fired
}

/** The seed words of a stream of samples: the same parts give the same stream. */
export function seedWords(...parts: (string | number)[]): SeedWords {
  const random = new Random(...parts)
  return [random.bits(), random.bits()]
}

/** Draws samples. It holds copies of the tables where the op computes; `dispose` frees them. */
export class Sampler {
  readonly tables: SampleTables
  private readonly tail = tailTable()
  private readonly tensors: Tensor[] | undefined

  constructor(tables: SampleTables) {
    this.tables = tables
    this.tensors = hasOp(opName) ? opTensors(tables, this.tail) : undefined
  }

  /** Samples `first` to `first + count` of a stream. `plain` draws them without the op. */
  draw(seed: SeedWords, first: number, count: number, { plain = false } = {}): Samples {
    if (!this.tensors || plain) return plainDraw(this.tables, this.tail, seed, first, count)
    return this.drawByOp(this.tensors, seed, first, count)
  }

  private drawByOp(tensors: Tensor[], seed: SeedWords, first: number, count: number): Samples {
    const { roots, nested, branching } = this.tables
    const plan = Int32Array.of(...seed, first >>> 0, Math.floor(first / 4294967296), count, roots, nested, branching)
    const [rows, offsets, features, values] = tf.tidy(() => callOp(opName, {}, [...tensors, tf.tensor1d(plan)], 4))
    const fired = {
      offsets: offsets!.dataSync() as Int32Array,
      features: features!.dataSync() as Int32Array,
      values: values!.dataSync() as Float32Array,
    }
    tf.dispose([offsets!, features!, values!])
    return { rows: rows as Tensor2D, fired }
  }

  dispose(): void {
    if (this.tensors) tf.dispose(this.tensors)
  }
}

/** The op's inputs. Features that fire by themselves are tested many at once, so their factors lie feature by feature. */
function opTensors(tables: SampleTables, tail: Float32Array): Tensor[] {
  const { features, width, rank, roots, nested, directions, bias, factor, cut, mean, deviation, firstChild } = tables
  const own = roots + features - nested
  const across = new Float32Array((rank + 1) * own)
  for (let j = 0; j < own; j++) {
    const i = j < roots ? j : j - roots + nested
    across[rank * own + j] = cut[i]!
    for (let k = 0; k < rank; k++) across[k * own + j] = factor[i * rank + k]!
  }
  return [
    tf.tensor2d(directions, [features, width]),
    tf.tensor1d(bias),
    tf.tensor2d(factor, [features, rank]),
    tf.tensor1d(cut),
    tf.tensor2d(across, [rank + 1, own]),
    tf.tensor1d(mean),
    tf.tensor1d(deviation),
    tf.tensor1d(firstChild, 'int32'),
    tf.tensor1d(tail),
  ]
}

/** The meaning of `draw`, feature by feature. */
function plainDraw(tables: SampleTables, tail: Float32Array, seed: SeedWords, first: number, count: number): Samples {
  const { width, directions, bias } = tables
  const data = new Float32Array(count * width)
  const offsets = new Int32Array(count + 1)
  const features: number[] = []
  const values: number[] = []
  for (let r = 0; r < count; r++) {
    const fired = drawOne(tables, tail, keyOf(seed, first + r))
    const row = data.subarray(r * width, (r + 1) * width)
    row.set(bias)
    for (const [feature, value] of fired) {
      features.push(feature)
      values.push(value)
      for (let d = 0; d < width; d++) row[d]! += value * directions[feature * width + d]!
    }
    offsets[r + 1] = features.length
  }
  return {
    rows: tf.tensor2d(data, [count, width]),
    fired: { offsets, features: Int32Array.from(features), values: Float32Array.from(values) },
  }
}

/** The features of one sample and their values, by ascending feature. */
function drawOne(tables: SampleTables, tail: Float32Array, key: SeedWords): [number, number][] {
  const { features, rank, roots, nested, branching, factor, cut, mean, deviation, firstChild } = tables
  // Counters: firing of feature i at i; its size at features + 2 i and the next; the choice among its children at
  // 3 features + i; factor k at 4 features + 2 k and the next.
  const normalAt = (counter: number) => normalFrom(wordOf(key, counter), wordOf(key, counter + 1))
  const common = Float32Array.from({ length: rank }, (_, k) => normalAt(4 * features + 2 * k))
  const sizeOf = (i: number) => Math.fround(Math.max(0, mean[i]! + deviation[i]! * normalAt(features + 2 * i)))
  const fires = (i: number) => {
    let t = cut[i]!
    for (let k = 0; k < rank; k++) t -= factor[i * rank + k]! * common[k]!
    return uniformFrom(wordOf(key, i)) < tailAt(tail, t)
  }
  const fired: [number, number][] = []
  for (let i = 0; i < features; i = i + 1 === roots ? nested : i + 1) {
    if (!fires(i)) continue
    const size = sizeOf(i)
    if (size > 0) fired.push([i, size])
  }
  for (let n = 0; n < fired.length; n++) {
    const [parent, value] = fired[n]!
    const start = firstChild[parent]!
    if (start < 0) continue
    const standing: [number, number][] = []
    for (let child = start; child < Math.min(nested, start + branching); child++) {
      if (!fires(child)) continue
      const size = sizeOf(child)
      if (size > 0) standing.push([child, size])
    }
    if (standing.length === 0) continue
    const choice = Math.floor(uniformFrom(wordOf(key, 3 * features + parent)) * standing.length)
    const [child, size] = standing[choice]!
    fired.push([child, Math.fround((size * value) / mean[parent]!)])
  }
  return fired.sort((a, b) => a[0] - b[0])
}
