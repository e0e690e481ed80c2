/**
 * The last blocks of a transformer for many edits of one document, as one op: what each edit changes in the values that logits are
 * a product of. Only what an edit changes is computed, and all of it in cache; a small model is otherwise bound by the calls of its
 * ops. An edit of nothing gives zeros, and what an edit gives does not depend on the others.
 *
 *   x ← x + Σ change · direction;  x ← x + attn(norm x),  x ← x + mlp(norm x) for each block;  norm x − the same without the edit
 */
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../tf.ts'
import { plainAttention } from './attention.ts'
import { type GeluForm, plainGelu } from './gelu.ts'
import { plainLinear } from './linear.ts'
import { callOp, canCall, multipliesHere, noTensor, type OpAttributes } from './native.ts'
import { plainNorm } from './norm.ts'

/** A linear layer; its weight lies as the blocks' layout says. */
export interface PassLayer {
  readonly weight: Tensor2D
  /** [outputs], or none. */
  readonly bias: Tensor | null
}

/** Gain and bias [width] of a norm, or none. */
export interface PassNorm {
  readonly gain: Tensor | null
  readonly bias: Tensor | null
}

/** One block: norms, attention, and one hidden layer, gated or not. */
export interface PassBlock {
  readonly before: PassNorm
  readonly middle: PassNorm
  /** Queries; keys and values too, in this order, where `k` and `v` are null. */
  readonly q: PassLayer
  readonly k: PassLayer | null
  readonly v: PassLayer | null
  readonly out: PassLayer
  /** hidden = act(gate) · up, or act(up) without a gate. */
  readonly gate: PassLayer | null
  readonly up: PassLayer
  readonly down: PassLayer
  /** Scores are q·k times this. */
  readonly scale: number
}

/** The last blocks of a model and the norm behind them. */
export interface PassBlocks {
  readonly blocks: readonly PassBlock[]
  readonly last: PassNorm
  readonly norm: { readonly kind: 'layer' | 'rms'; readonly epsilon: number }
  readonly layout: 'in-out' | 'out-in'
  readonly activation: GeluForm | 'silu' | 'relu'
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  /** Elements of each head that are rotated, in pairs of i and i + half (`halves`) or 2i and 2i + 1; null: none. */
  readonly rotary: { readonly size: number; readonly pairs: 'halves' | 'neighbours' } | null
}

/** cos and signed sin of every position [position, headDim] (`model/layers/rotary.ts`). */
export interface PassRotation {
  readonly cos: Tensor
  readonly sin: Tensor
}

/** A document that a pass is made of: the residual before the first block [position, width]. */
export interface PassDocument {
  readonly x: Tensor2D
  /** Where the blocks rotate. */
  readonly rotation: PassRotation | null
}

/** What a pass of the document as it is leaves for those of its edits. */
export interface CleanValues {
  /** Of the first block [position, heads · headDim], as they are scored. */
  readonly queries: Tensor2D
  /** Keys, then values, of each block [blocks, position, 2 · kvHeads · headDim], keys as they are scored. */
  readonly kv: Tensor3D
  /** Behind the last norm [position, width]. */
  readonly last: Tensor2D
}

/** Edits of a document. Lists of an edit begin where its `starts` say and end where the next one's do. */
export interface PassEdits {
  /** Directions [n, width]. */
  readonly bank: Tensor2D
  /** Position and row of the bank of each entry, ascending by position within an edit; an edit has one at least. */
  readonly entries: Int32Array
  /** How much of the direction each entry adds. */
  readonly changes: Float32Array
  /** First entry of each edit, and their number. */
  readonly starts: Int32Array
  /** Positions that are read of each edit, ascending, none before its first entry. */
  readonly reads: Int32Array
  /** First read of each edit, and their number. */
  readonly readStarts: Int32Array
}

/** Whether passes of edits are one op here and faster than the ops of a whole pass: in float32 precision, from AVX2 on. */
export function passesHere(): boolean {
  return canCall('PipelineEditedPass') && multipliesHere()
}

/** The meaning of `cleanPass`. */
export function plainCleanPass(blocks: PassBlocks, { x, rotation }: PassDocument): CleanValues {
  return tf.tidy(() => {
    const { queries, kv, last } = plainPass(blocks, x.expandDims(0) as Tensor3D, rotation)
    const [positions, width] = x.shape
    const kvWidth = 2 * blocks.kvHeads * blocks.headDim
    return {
      queries: queries.reshape([positions, blocks.heads * blocks.headDim]) as Tensor2D,
      kv: (kv.length > 0 ? tf.concat(kv) : tf.zeros([0, positions, kvWidth])) as Tensor3D,
      last: last.reshape([positions, width]) as Tensor2D,
    }
  }) as unknown as CleanValues
}

/** The document as it is, for passes of its edits. */
export function cleanPass(blocks: PassBlocks, document: PassDocument): CleanValues {
  if (!canCall('PipelineCleanPass')) return plainCleanPass(blocks, document)
  return tf.tidy(() => {
    const [queries, kv, last] = callOp('PipelineCleanPass', attributesOf(blocks), inputsOf(blocks, document), 3)
    return { queries: queries as Tensor2D, kv: kv as Tensor3D, last: last as Tensor2D }
  }) as unknown as CleanValues
}

/** The meaning of `editedPass`: every position of every edit, and of the document without it. */
export function plainEditedPass(blocks: PassBlocks, { x, rotation }: PassDocument, edits: PassEdits): Tensor2D {
  return tf.tidy(() => {
    const { bank, entries, changes, starts, reads, readStarts } = edits
    const [positions, width] = x.shape
    const count = starts.length - 1
    const numbers = Array.from({ length: count }, (_, edit) => edit)
    const rowOf = numbers.flatMap(edit =>
      Array.from(entries.subarray(2 * starts[edit]!, 2 * starts[edit + 1]!))
        .filter((_, i) => i % 2 === 0)
        .map(position => edit * positions + position),
    )
    const directions = bank.gather(tf.tensor1d(Int32Array.from(changes, (_, i) => entries[2 * i + 1]!)))
    const added = directions.mul(tf.tensor2d(changes, [changes.length, 1]))
    const delta = tf.unsortedSegmentSum(added, tf.tensor1d(Int32Array.from(rowOf)), count * positions)
    const edited = x.expandDims(0).add(delta.reshape([count, positions, width])) as Tensor3D
    const clean = plainPass(blocks, x.expandDims(0) as Tensor3D, rotation).last
    const changed = plainPass(blocks, edited, rotation).last.sub(clean)
    const places = numbers.flatMap(edit =>
      Array.from(reads.subarray(readStarts[edit], readStarts[edit + 1]), position => edit * positions + position),
    )
    return changed.reshape([-1, width]).gather(tf.tensor1d(Int32Array.from(places))) as Tensor2D
  })
}

/** What each edit changes behind the last norm at the positions that are read [reads, width]. */
export function editedPass(
  blocks: PassBlocks,
  document: PassDocument & CleanValues,
  { bank, entries, changes, starts, reads, readStarts }: PassEdits,
): Tensor2D {
  if (!canCall('PipelineEditedPass'))
    return plainEditedPass(blocks, document, { bank, entries, changes, starts, reads, readStarts })
  return tf.tidy(() => {
    const bounds = new Int32Array(starts.length + readStarts.length)
    bounds.set(starts)
    bounds.set(readStarts, starts.length)
    const inputs = [bank, tf.tensor1d(changes), ...[entries, bounds, reads].map(list => tf.tensor1d(list))]
    const { queries, kv, last } = document
    const all = [...inputs, queries, kv, last, ...inputsOf(blocks, document)]
    return callOp('PipelineEditedPass', attributesOf(blocks), all, 1)[0] as Tensor2D
  })
}

const activations = ['erf', 'tanh', 'silu', 'relu']

function attributesOf({ blocks, norm, layout, activation, heads, kvHeads, headDim, rotary }: PassBlocks): OpAttributes {
  return {
    heads: { int: heads },
    kv_heads: { int: kvHeads },
    head_dim: { int: headDim },
    blocks: { int: blocks.length },
    activation: { int: activations.indexOf(activation) },
    pairs: { int: rotary ? rotary.size / 2 : 0 },
    transposed: layout === 'out-in',
    centre: norm.kind === 'layer',
    neighbours: rotary?.pairs === 'neighbours',
    epsilon: { float: norm.epsilon },
    N: { int: 18 * blocks.length + 2 },
  }
}

function inputsOf({ blocks, last }: PassBlocks, { x, rotation }: PassDocument): Tensor[] {
  const none = noTensor()
  const normOf = ({ gain, bias }: PassNorm) => [gain ?? none, bias ?? none]
  const layer = (given: PassLayer | null) => [given?.weight ?? none, given?.bias ?? none]
  return [
    ...[x, rotation?.cos ?? none, rotation?.sin ?? none, tf.tensor1d(blocks.map(({ scale }) => scale))],
    ...blocks.flatMap(({ before, middle, q, k, v, out, gate, up, down }) => [
      ...[before, middle].flatMap(normOf),
      ...[q, k, v, out, gate, up, down].flatMap(layer),
    ]),
    ...normOf(last),
  ]
}

/** The whole pass of x [batch, position, width]. */
function plainPass(given: PassBlocks, x: Tensor3D, rotation: PassRotation | null) {
  const { blocks, layout, heads, kvHeads, headDim, activation } = given
  const norm = (value: Tensor, { gain, bias }: PassNorm) => plainNorm(value, { ...given.norm, gain, bias }).value
  const apply = (value: Tensor, { weight, bias }: PassLayer) => plainLinear(value, weight, { bias, layout })
  const kv: Tensor[] = []
  let queries: Tensor | undefined
  let stream: Tensor = x
  for (const { before, middle, q, k, v, out, gate, up, down, scale } of blocks) {
    const normed = norm(stream, before)
    const [asked, keys, values] = k
      ? [apply(normed, q), apply(normed, k), apply(normed, v!)]
      : tf.split(apply(normed, q), [heads * headDim, kvHeads * headDim, kvHeads * headDim], -1)
    const rows = (value: Tensor, count: number) => ({ rows: plainRotated(given, value, count, rotation) as Tensor3D })
    const [own, seen] = [rows(asked!, heads), rows(keys!, kvHeads)]
    queries ??= own.rows
    kv.push(tf.concat([seen.rows, values!], -1))
    const shape = { heads, kvHeads, headDim, scale }
    stream = stream.add(apply(plainAttention(own, seen, { rows: values as Tensor3D }, shape), out))
    const input = norm(stream, middle)
    const hidden = gate
      ? plainActivation(apply(input, gate), activation).mul(apply(input, up))
      : plainActivation(apply(input, up), activation)
    stream = stream.add(apply(hidden, down))
  }
  return { queries: queries ?? tf.zeros([x.shape[1], heads * headDim]), kv, last: norm(stream, given.last) }
}

function plainActivation(x: Tensor, kind: PassBlocks['activation']): Tensor {
  if (kind === 'silu') return x.mul(x.sigmoid())
  return kind === 'relu' ? x.relu() : plainGelu(x, null, kind)
}

/** Heads side by side, rotated: each element times its cosine, plus the other of its pair times the signed sine. */
function plainRotated(
  { rotary, headDim }: PassBlocks,
  x: Tensor,
  heads: number,
  rotation: PassRotation | null,
): Tensor {
  if (!rotary || !rotation) return x
  const half = rotary.size / 2
  const other = Int32Array.from({ length: headDim }, (_, i) => {
    if (i >= rotary.size) return i
    if (rotary.pairs === 'neighbours') return i % 2 === 0 ? i + 1 : i - 1
    return i < half ? i + half : i - half
  })
  const [batch, positions] = x.shape as [number, number]
  const split = x.reshape([batch, positions, heads, headDim])
  const table = (values: Tensor) => values.reshape([1, positions, 1, headDim])
  const turned = split.gather(tf.tensor1d(other), 3).mul(table(rotation.sin))
  return split.mul(table(rotation.cos)).add(turned).reshape(x.shape)
}
