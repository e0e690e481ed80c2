/** What the benchmark of the ops times: each op at sizes of GPT-2 small and of an SAE on it, and its plain version. */
import { attention, plainAttention } from '../engine/ops/attention.ts'
import { gelu, plainGelu } from '../engine/ops/gelu.ts'
import { type LinearOptions, linear, plainLinear } from '../engine/ops/linear.ts'
import { addBias, addNorm, norm, plainAddBias, plainNorm } from '../engine/ops/norm.ts'
import { keepLargest, plainKeepLargest } from '../engine/ops/sae/batch.ts'
import { plainSparseDecode, plainSparseDecodeBack, sparseDecode, sparseDecodeBack } from '../engine/ops/sae/decode.ts'
import { plainTopKEncode, topKEncode } from '../engine/ops/sae/encode.ts'
import { entriesDecodeBack, plainEntriesDecodeBack } from '../engine/ops/sae/entries.ts'
import { plainRowNorms, rowNorms } from '../engine/ops/sae/rows.ts'
import { plainThresholdEncode, thresholdEncode } from '../engine/ops/sae/threshold.ts'
import { plainSiluMul, siluMul } from '../engine/ops/silu.ts'
import { type Tensor, type Tensor1D, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'

/** An op at one size, ready to run both ways; what it makes is disposed. */
export interface OpCase {
  readonly own: () => void
  readonly plain: () => void
}

const width = 768
let seed = 1
const normal = (...shape: number[]): Tensor => tf.randomNormal(shape, 0, 1, 'float32', seed++)
const matrix = (rows: number, columns: number) => normal(rows, columns) as Tensor2D
const row = (columns: number) => normal(columns) as Tensor1D

/** Runs and disposes all that comes out. */
function drop(run: () => unknown): () => void {
  return () => tf.tidy(() => void run())
}

function both<T extends unknown[]>(own: (...args: T) => unknown, plain: (...args: T) => unknown, ...args: T): OpCase {
  return { own: drop(() => own(...args)), plain: drop(() => plain(...args)) }
}

function linearCase(rows: number, inputs: number, outputs: number, options: Partial<LinearOptions> = {}): OpCase {
  const layout = options.layout ?? 'in-out'
  const weight = layout === 'in-out' ? matrix(inputs, outputs) : matrix(outputs, inputs)
  return both(linear, plainLinear, matrix(rows, inputs), weight, { bias: row(outputs), ...options, layout })
}

function attentionCase(batch: number, positions: number): OpCase {
  const rows = normal(batch, positions, 3 * width) as Tensor3D
  const part = (i: number) => ({ rows, offset: i * width })
  const shape = { heads: 12, kvHeads: 12, headDim: 64, scale: 0.125 }
  return both(attention, plainAttention, part(0), part(1), part(2), shape)
}

const chosen = (rows: number, k: number, latents: number) => {
  const at = Int32Array.from({ length: rows * k }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 0) % latents)
  return { values: matrix(rows, k).abs() as Tensor2D, indices: tf.tensor2d(at, [rows, k], 'int32') }
}

/** Entries as a ReLU leaves them: some in every row. */
function entriesOf(rows: number, each: number, latents: number) {
  const { values, indices } = chosen(rows, each, latents)
  const starts = tf.tensor1d(
    Int32Array.from({ length: rows + 1 }, (_, i) => i * each),
    'int32',
  )
  return {
    starts,
    values: values.reshape([rows * each]) as Tensor1D,
    indices: indices.reshape([rows * each]) as Tensor1D,
  }
}

/** Every case, by name; nothing of one is made before it is asked for. */
export const opCases: Readonly<Record<string, () => OpCase>> = {
  norm: () =>
    both(norm, plainNorm, matrix(2048, width), { kind: 'layer', epsilon: 1e-5, gain: row(width), bias: row(width) }),
  'add-norm': () => {
    const [x, delta, bias] = [matrix(2048, width), matrix(2048, width), row(width)]
    const options = { kind: 'layer', epsilon: 1e-5, gain: row(width), bias: row(width) } as const
    return {
      own: drop(() => addNorm(x, delta, bias, options)),
      plain: drop(() => plainNorm(plainAddBias(x, delta, bias), options)),
    }
  },
  'add-bias': () => both(addBias, plainAddBias, matrix(2048, width), matrix(2048, width), row(width)),
  'gelu-erf': () => both(gelu, plainGelu, matrix(2048, 4 * width), row(4 * width), 'erf'),
  'gelu-tanh': () => both(gelu, plainGelu, matrix(2048, 4 * width), row(4 * width), 'tanh'),
  'silu-mul': () => both(siluMul, plainSiluMul, matrix(2048, 4 * width), matrix(2048, 4 * width)),
  attention: () => attentionCase(16, 128),
  'attention-1024': () => attentionCase(2, 1024),
  'linear-qkv': () => linearCase(2048, width, 3 * width),
  'linear-gelu': () => linearCase(2048, width, 4 * width, { gelu: 'tanh' }),
  'linear-residual': () => linearCase(2048, 4 * width, width, { residual: matrix(2048, width) }),
  'linear-turned': () => linearCase(2048, width, width, { layout: 'out-in' }),
  'linear-1-row': () => linearCase(1, width, 4 * width),
  'linear-4-rows': () => linearCase(4, width, 4 * width),
  'linear-16-rows': () => linearCase(16, width, 4 * width),
  'linear-128-rows': () => linearCase(128, width, 4 * width),
  'linear-turned-1-row': () => linearCase(1, width, 4 * width, { layout: 'out-in' }),
  'linear-turned-4-rows': () => linearCase(4, width, 4 * width, { layout: 'out-in' }),
  'linear-turned-16-rows': () => linearCase(16, width, 4 * width, { layout: 'out-in' }),
  'linear-narrow': () => linearCase(4096, 64, 172),
  'top-k-encode': () =>
    both(topKEncode, plainTopKEncode, matrix(1024, width), matrix(width, 16384), {
      k: 32,
      bias: row(16384),
      layout: 'in-out',
    }),
  'top-k-encode-narrow': () =>
    both(topKEncode, plainTopKEncode, matrix(4096, 64), matrix(64, 512), { k: 16, bias: row(512), layout: 'in-out' }),
  'threshold-encode': () =>
    both(thresholdEncode, plainThresholdEncode, matrix(512, width), matrix(width, 16384), {
      bounds: tf.fill([16384], 80) as Tensor1D,
      layout: 'in-out',
      limit: 1e6,
    }),
  'keep-largest': () => both(keepLargest, plainKeepLargest, chosen(1024, 64, 16384), 1024 * 32),
  'sparse-decode': () =>
    both(sparseDecode, plainSparseDecode, chosen(1024, 32, 16384), matrix(16384, width), row(width)),
  'sparse-decode-back': () =>
    both(
      sparseDecodeBack,
      plainSparseDecodeBack,
      matrix(1024, width),
      chosen(1024, 32, 16384),
      matrix(16384, width),
      row(width),
      tf.tensor1d([0.01]),
    ),
  'entries-decode-back': () =>
    both(
      entriesDecodeBack,
      plainEntriesDecodeBack,
      matrix(1024, width),
      entriesOf(1024, 32, 16384),
      matrix(16384, width),
      row(width),
      0.01,
    ),
  'row-norms': () => both(rowNorms, plainRowNorms, matrix(16384, width)),
}
