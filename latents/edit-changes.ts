/** From the values of edited passes to what each edit changed: target, loss and KL at every position, and their means. */
import type { TokenWindow } from '../datasets/document.ts'
import { logMeanExp } from '../engine/ops/logit-changes.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import { type DocumentEdits, type Edit, positionsOf } from './edits.ts'

/** Changes at each position from `from` on, row by row. */
export interface Changes {
  readonly from: number
  /** Positions of a row. */
  readonly count: number
  /** The target, then any further ones [rows, positions, targets]. */
  readonly targets: Float32Array
  /** Undefined where they were not asked for. */
  readonly losses: { readonly loss: Float32Array; readonly kl: Float32Array } | undefined
}

const host = (tensor: Tensor) => tensor.dataSync<'float32'>() as Float32Array

/** Positions of a value from one on. */
export function tailOf(value: Tensor3D, from: number): Tensor3D {
  const [batch, length, width] = value.shape
  return from === 0 ? value : value.slice([0, from, 0], [batch, length - from, width])
}

/**
 * From the change d of the logits [rows, positions, vocabulary], with p the clean distribution:
 *
 *   KL(clean ‖ edited) = ln E_p[e^d] − E_p[d]      Δloss = ln E_p[e^d] − d_next
 *
 * Nothing large is taken from something large, and d = 0 gives exactly 0. The last position has no next token.
 */
export function lossChanges(
  { tokens }: TokenWindow,
  probabilities: Tensor3D,
  d: Tensor3D,
): NonNullable<Changes['losses']> {
  const [batch, count, vocabulary] = d.shape
  const from = tokens.length - count
  const normaliser = logMeanExp(d, probabilities)
  const kl = host(normaliser.sub(d.mul(probabilities).sum(-1)))
  const loss = host(normaliser).slice()
  const places = new Int32Array(batch * count)
  for (let i = 0; i < places.length; i++) places[i] = i * vocabulary + (tokens[from + (i % count) + 1] ?? 0)
  const next = host(tf.gather(d.reshape([-1]), tf.tensor1d(places, 'int32')))
  for (let i = 0; i < loss.length; i++) loss[i] = i % count === count - 1 ? 0 : loss[i]! - next[i]!
  return { loss, kl }
}

/** How values [rows, positions, n] are multiplied into targets: one matrix for all rows, or one for each of them. */
export type Readout = (values: Tensor3D) => Float32Array

/** The first target of each edit, and whether it is the same for all of them. */
export function firstTargets({ weights }: DocumentEdits, edits: readonly Edit[]) {
  const each = edits.map(edit => edit.weights ?? weights)
  return { each, isShared: each.every(own => own === each[0]) }
}

/**
 * The product Σ_v w_v · d_v of each target with the change of the logits, or of what they are made of: `columns` turns weights
 * [vocabulary, n] into what values are multiplied by. Edits with weights of their own have them in the first place.
 */
export function targetReadout(
  request: DocumentEdits,
  edits: readonly Edit[],
  columns: (weights: Tensor2D) => Tensor2D,
): Readout {
  const { targets = [] } = request
  const { each, isShared } = firstTargets(request, edits)
  const shared = isShared ? [each[0]!, ...targets] : targets
  const made = shared.length > 0 ? columns(stacked(shared)) : undefined
  const all = (values: Tensor3D) =>
    values.reshape([-1, values.shape[2]]).matMul(made!).reshape([values.shape[0], values.shape[1], shared.length])
  if (isShared) return values => host(all(values))
  const own = columns(stacked(each)).transpose().expandDims(2)
  return values => {
    const first = tf.matMul(values, own)
    return host(made ? tf.concat([first, all(values)], 2) : first)
  }
}

/** Weights [vocabulary, n], a list a column. */
export function stacked(lists: readonly Float32Array[]): Tensor2D {
  const vocabulary = lists[0]!.length
  const all = new Float32Array(lists.length * vocabulary)
  lists.forEach((weights, i) => {
    all.set(weights, i * vocabulary)
  })
  return tf.tensor2d(all, [lists.length, vocabulary]).transpose() as Tensor2D
}

/** An edit's means over the positions that are measured. */
export interface Means {
  readonly target: number
  readonly targets?: readonly number[]
  readonly losses: { readonly loss: number; readonly kl: number } | undefined
}

/** Positions of a value [batch, position, width]: for each row of the batch, or of a batch of one, those listed. */
export function rowsAt(value: Tensor3D, positions: readonly (readonly number[])[]): Tensor3D {
  const [batch, length, width] = value.shape
  const places = positions.flatMap((row, b) => row.map(position => (batch === 1 ? 0 : b * length) + position))
  const rows = value.reshape([batch * length, width]).gather(tf.tensor1d(places, 'int32'))
  return rows.reshape([positions.length, positions[0]!.length, width])
}

/** Where the target of an edit is asked for, of all positions of a window: none before the first edited one, where nothing changes. */
export function askedOf(request: DocumentEdits, edit: Edit): readonly number[] {
  const edited = positionsOf(request, edit)
  return request.measuredAt ? request.measuredAt.filter(position => position >= edited[0]!) : edited
}

/** Values [rows, n, targets] that were read at positions of each row as values [rows, count, targets], 0 where nothing was read. */
export function spreadOut(
  values: Float32Array,
  positions: readonly (readonly number[])[],
  count: number,
): Float32Array {
  const each = positions[0]!.length
  const targets = values.length / (positions.length * each)
  const spread = new Float32Array(positions.length * count * targets)
  positions.forEach((own, row) => {
    own.forEach((position, i) => {
      for (let t = 0; t < targets; t++)
        spread[(row * count + position) * targets + t] = values[(row * each + i) * targets + t]!
    })
  })
  return spread
}

/** Means of an edit's changes: of targets where it is, of loss and KL from there on, unless other positions are asked for. */
export function meansOf(request: DocumentEdits, edit: Edit, changes: Changes, row: number): Means {
  const { measuredAt, targets: further = [] } = request
  const { from, count, losses } = changes
  const at = row * count - from
  const last = from + count - 1
  const edited = positionsOf(request, edit)
  // Nothing before the first edited position changes.
  const sum = (over: readonly number[], values: Float32Array, stride: number, offset: number) => {
    let total = 0
    for (const position of over) if (position >= edited[0]!) total += values[(at + position) * stride + offset]!
    return total
  }
  const own = measuredAt ?? edited
  const targets = [0, ...further].map((_, i, { length }) => sum(own, changes.targets, length, i) / own.length)
  const common = { target: targets[0]!, ...(further.length > 0 && { targets: targets.slice(1) }) }
  if (!losses) return { ...common, losses }
  const tail = measuredAt ?? Array.from({ length: last - edited[0]! + 1 }, (_, i) => edited[0]! + i)
  const predicting = tail.filter(position => position < last)
  return {
    ...common,
    losses: {
      loss: predicting.length > 0 ? sum(predicting, losses.loss, 1, 0) / predicting.length : 0,
      kl: sum(tail, losses.kl, 1, 0) / tail.length,
    },
  }
}
