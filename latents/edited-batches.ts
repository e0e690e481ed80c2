/**
 * Edits of a document that the model takes from its residual in one op a batch (`Model.editedFrom`): the same changes as those of
 * passes with a hook, without logits.
 */
import { linear } from '../engine/ops/linear.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { DocumentPass, Model } from '../model/model.ts'
import type { CleanLogits } from './clean-pass.ts'
import { askedOf, type Changes, targetColumns } from './edit-changes.ts'
import { type DocumentEdits, type Edit, positionsOf, termsOf } from './edits.ts'

/** What a document's edits are compared with. */
export interface EditedDocument {
  readonly model: Model
  readonly pass: DocumentPass
  /** Asked for where losses are. */
  logits(): CleanLogits
}

/** Positions that are read of an edit: those that are asked for, or all from the first edited one on where losses are. */
function readsOf(request: DocumentEdits, edit: Edit, losses: boolean): readonly number[] {
  if (!losses) return askedOf(request, edit)
  const first = positionsOf(request, edit)[0]!
  return Array.from({ length: request.window.tokens.length - first }, (_, i) => first + i)
}

/** Edits in batches of at most so many rows of their passes, at least one. */
export function editedBatches(request: DocumentEdits, losses: boolean): (readonly Edit[])[] {
  const batches: Edit[][] = []
  let rows = 0
  for (const edit of request.edits) {
    const first = positionsOf(request, edit)[0]!
    const own = (readsOf(request, edit, losses).at(-1) ?? first) - first + 1
    if (batches.length === 0 || rows + own > request.batchTokens) {
      batches.push([])
      rows = 0
    }
    batches.at(-1)!.push(edit)
    rows += own
  }
  return batches
}

/** Changes of a batch at every position of the window, 0 where nothing was read. Runs in a tidy. */
export function editedChanges(
  { model, pass, logits }: EditedDocument,
  request: DocumentEdits,
  edits: readonly Edit[],
  losses: boolean,
): Changes {
  const { tokens } = request.window
  const { length } = tokens
  const read = edits.map(edit => readsOf(request, edit, losses))
  const reads = Int32Array.from(read.flat())
  const changes = pass.edited({ bank: request.bank, ...entriesOf(request, edits), reads, readStarts: startsOf(read) })
  // Where each row that was read belongs.
  const place = Int32Array.from(read.flatMap((positions, row) => positions.map(position => row * length + position)))
  const { shared, own, count } = targetColumns(request, edits, weights => model.logitColumns(weights)!)
  const rowOf = () => tf.tensor1d(Int32Array.from(place, at => Math.floor(at / length)))
  const parts = [
    ...(own ? [own.gather(rowOf()).mul(changes).sum(1, true)] : []),
    ...(shared ? [linear(changes, shared, { layout: 'in-out' })] : []),
  ]
  const targets = spread(tf.concat(parts, 1) as Tensor2D, place, edits.length * length * count)
  if (!losses) return { from: 0, count: length, targets, losses: undefined }
  const next = Int32Array.from(reads, position => tokens[position + 1] ?? -1)
  const probabilities = logits().probabilities.reshape([length, -1]) as Tensor2D
  const found = pass.predictions(changes, { probabilities, positions: reads, next }).dataSync<'float32'>()
  const [loss, kl] = [new Float32Array(edits.length * length), new Float32Array(edits.length * length)]
  place.forEach((at, i) => {
    // The last position has no next token.
    loss[at] = next[i]! < 0 ? 0 : found[3 * i]! - found[3 * i + 2]!
    kl[at] = found[3 * i]! - found[3 * i + 1]!
  })
  return { from: 0, count: length, targets, losses: { loss, kl } }
}

/** Every term of every edit, by position. */
function entriesOf(request: DocumentEdits, edits: readonly Edit[]) {
  const entries: number[] = []
  const changes: number[] = []
  const starts = [0]
  for (const edit of edits) {
    const terms = termsOf(edit)
    positionsOf(request, edit).forEach((position, i) => {
      for (const { direction, change } of terms) {
        entries.push(position, direction)
        changes.push(change[i]!)
      }
    })
    starts.push(changes.length)
  }
  return { entries: Int32Array.from(entries), changes: Float32Array.from(changes), starts: Int32Array.from(starts) }
}

function startsOf(lists: readonly (readonly unknown[])[]): Int32Array {
  const starts = new Int32Array(lists.length + 1)
  lists.forEach((list, i) => {
    starts[i + 1] = starts[i]! + list.length
  })
  return starts
}

/** Values [rows, n] at their places among `size`. */
function spread(values: Tensor2D, place: Int32Array, size: number): Float32Array {
  const [, each] = values.shape
  const found = values.dataSync<'float32'>()
  const all = new Float32Array(size)
  place.forEach((at, i) => {
    for (let j = 0; j < each; j++) all[at * each + j] = found[i * each + j]!
  })
  return all
}
