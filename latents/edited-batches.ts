/**
 * Edits of a document that the model takes from its residual in one op a batch (`Model.editedFrom`): the same changes as those of
 * passes with a hook, without logits.
 */
import { onHost } from '../engine/host.ts'
import { linear } from '../engine/ops/linear.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { DocumentPass, Model } from '../model/model.ts'
import { askedOf, type Changes, firstTargets, stacked } from './edit-changes.ts'
import { type DocumentEdits, type Edit, positionsOf, termsOf } from './edits.ts'

/** What a document's edits are compared with. */
export interface EditedDocument {
  readonly pass: DocumentPass
  /** What `unembed.hook_in` is multiplied by to give a target [width]. */
  columnOf(weights: Float32Array): Float32Array
}

/**
 * Makes columns of targets and keeps them as long as their weights live: what one is does not depend on when it is made, or with
 * which others.
 */
export function targetColumns(model: Model): EditedDocument['columnOf'] {
  const known = new WeakMap<Float32Array, Float32Array>()
  return weights => {
    const found = known.get(weights)
    if (found) return found
    const made = onHost(() =>
      model
        .logitColumns(stacked([weights]))!
        .dataSync<'float32'>()
        .slice(),
    ) as Float32Array
    known.set(weights, made)
    return made
  }
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
  { pass, columnOf }: EditedDocument,
  request: DocumentEdits,
  edits: readonly Edit[],
  losses: boolean,
): Changes {
  const { tokens } = request.window
  const { length } = tokens
  const read = edits.map(edit => readsOf(request, edit, losses))
  const readStarts = startsOf(read)
  const reads = new Int32Array(readStarts[read.length]!)
  // Where each row that was read belongs.
  const place = new Int32Array(reads.length)
  let next = 0
  read.forEach((positions, row) => {
    for (const position of positions) {
      reads[next] = position
      place[next++] = row * length + position
    }
  })
  const changes = pass.edited({ bank: request.bank, ...entriesOf(request, edits), reads, readStarts })
  const targets = readTargets(changes, { place, length, columnOf }, request, edits)
  if (!losses) return { from: 0, count: length, targets, losses: undefined }
  // The last position has no next token.
  const following = reads.map(position => (position + 1 < length ? tokens[position + 1]! : -1))
  const found = pass.predictions(changes, { positions: reads, next: following }).dataSync<'float32'>()
  const [loss, kl] = [new Float32Array(edits.length * length), new Float32Array(edits.length * length)]
  for (let i = 0; i < place.length; i++) {
    loss[place[i]!] = following[i]! < 0 ? 0 : found[3 * i]! - found[3 * i + 2]!
    kl[place[i]!] = found[3 * i]! - found[3 * i + 1]!
  }
  return { from: 0, count: length, targets, losses: { loss, kl } }
}

/** Every term of every edit, by position. */
function entriesOf(request: DocumentEdits, edits: readonly Edit[]) {
  const starts = new Int32Array(edits.length + 1)
  edits.forEach((edit, row) => {
    starts[row + 1] = starts[row]! + positionsOf(request, edit).length * termsOf(edit).length
  })
  const entries = new Int32Array(2 * starts[edits.length]!)
  const changes = new Float32Array(starts[edits.length]!)
  let next = 0
  for (const edit of edits) {
    const terms = termsOf(edit)
    positionsOf(request, edit).forEach((position, i) => {
      for (const { direction, change } of terms) {
        entries[2 * next] = position
        entries[2 * next + 1] = direction
        changes[next++] = change[i]!
      }
    })
  }
  return { entries, changes, starts }
}

function startsOf(lists: readonly (readonly unknown[])[]): Int32Array {
  const starts = new Int32Array(lists.length + 1)
  lists.forEach((list, i) => {
    starts[i + 1] = starts[i]! + list.length
  })
  return starts
}

/** The targets of each edit at every position of the window [edits, position, targets], 0 where nothing was read. */
function readTargets(
  changes: Tensor2D,
  {
    place,
    length,
    columnOf,
  }: { readonly place: Int32Array; readonly length: number } & Pick<EditedDocument, 'columnOf'>,
  request: DocumentEdits,
  edits: readonly Edit[],
): Float32Array {
  const { targets = [] } = request
  const [rows, width] = changes.shape
  const { each, isShared } = firstTargets(request, edits)
  const count = 1 + targets.length
  const all = new Float32Array(edits.length * length * count)
  const shared = (isShared ? [each[0]!, ...targets] : targets).map(columnOf)
  if (shared.length > 0) {
    const columns = new Float32Array(shared.length * width)
    shared.forEach((column, i) => {
      columns.set(column, i * width)
    })
    const found = linear(changes, tf.tensor2d(columns, [shared.length, width]), { layout: 'out-in' }).dataSync()
    const first = count - shared.length
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < shared.length; j++) all[place[i]! * count + first + j] = found[i * shared.length + j]!
  }
  if (isShared) return all
  const values = changes.dataSync<'float32'>()
  const own = each.map(columnOf)
  for (let i = 0; i < rows; i++) {
    const column = own[Math.floor(place[i]! / length)]!
    let sum = 0
    for (let j = 0; j < width; j++) sum += values[i * width + j]! * column[j]!
    all[place[i]! * count] = sum
  }
  return all
}
