/** Edits of a document: what is added to the values at a site, and what is asked of the model then. */
import type { TokenWindow } from '../datasets/document.ts'
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'

/** A direction of the bank, and how much of it is added at each edited position. */
export interface EditTerm {
  /** Row of the bank of directions. */
  readonly direction: number
  /** f′ − f at each edited position. */
  readonly change: Float32Array
}

/** One edit of a document. */
export interface Edit extends EditTerm {
  /** Further terms at the same positions, where several directions are edited together. */
  readonly also?: readonly EditTerm[]
  /** Edited positions, ascending; default: the document's. */
  readonly positions?: readonly number[]
  /** Weights of its own target over the vocabulary, which sum to zero; default: the document's. */
  readonly weights?: Float32Array
}

/** What an edit did to the targets of one document, as differences from the document as it is. */
export interface TargetEffect {
  /** Mean ‖Δx‖ over the edited positions. */
  readonly norm: number
  /** Mean change of the target Σ_v w_v · log p_v over the edited positions, or those that are measured. */
  readonly target: number
  /** The same as `target` for each further target; absent where none were asked for. */
  readonly targets?: readonly number[]
}

/** What an edit did to one document, as differences from the document as it is. */
export interface EditEffect extends TargetEffect {
  /** Mean change of next-token loss in nats from the first edited position on, or over those that are measured. */
  readonly loss: number
  /** Mean KL(clean ‖ edited) in nats over the same positions. */
  readonly kl: number
}

export interface DocumentEdits {
  readonly window: TokenWindow
  /** Edited positions, ascending. */
  readonly positions: readonly number[]
  readonly edits: readonly Edit[]
  /** Directions [rows, width]; an edit adds `change · row`. */
  readonly bank: Tensor2D
  /** Weights of the target over the vocabulary, which sum to zero. */
  readonly weights: Float32Array
  /** Weights of further targets, each of which sums to zero. */
  readonly targets?: readonly Float32Array[]
  /**
   * Positions at which every effect is measured, ascending, whatever is edited (a change acts on no position before it). Default:
   * the target where an edit is, loss and KL from its first position on.
   */
  readonly measuredAt?: readonly number[]
  /** Tokens a forward pass holds at most. */
  readonly batchTokens: number
}

/** The positions that an edit changes. */
export const positionsOf = ({ positions }: DocumentEdits, edit: Edit): readonly number[] => edit.positions ?? positions

/** The terms of an edit. */
export const termsOf = (edit: Edit): readonly EditTerm[] => (edit.also ? [edit, ...edit.also] : [edit])

/** What each edit adds at positions `from` … `end` − 1 [edits, position, width]: Σ change · row over its terms. */
export function deltaOf(request: DocumentEdits, edits: readonly Edit[], from: number, end: number): Tensor3D {
  const { bank } = request
  const length = end - from
  const terms = edits.reduce((most, edit) => Math.max(most, termsOf(edit).length), 1)
  const changes = new Float32Array(edits.length * length * terms)
  const directions = new Int32Array(edits.length * terms)
  edits.forEach((edit, row) => {
    const positions = positionsOf(request, edit)
    termsOf(edit).forEach(({ direction, change }, term) => {
      directions[row * terms + term] = direction
      for (let i = 0; i < positions.length && positions[i]! < end; i++)
        changes[(row * length + positions[i]! - from) * terms + term] = change[i]!
    })
  })
  const rows = tf.gather(bank, tf.tensor1d(directions, 'int32'))
  if (terms === 1) return tf.tensor3d(changes, [edits.length, length, 1]).mul(rows.expandDims(1)) as Tensor3D
  return tf.matMul(
    tf.tensor3d(changes, [edits.length, length, terms]),
    rows.reshape([edits.length, terms, bank.shape[1]]) as Tensor3D,
  )
}

/** Mean ‖Σ change · row‖ over the positions of an edit; `norms` are those of the bank's rows, `directions` its values. */
export function normOf(edit: Edit, norms: Float32Array, directions: Float32Array | undefined): number {
  const { change } = edit
  if (!edit.also)
    return (change.reduce((sum, value) => sum + Math.abs(value), 0) / change.length) * norms[edit.direction]!
  const terms = termsOf(edit)
  const width = directions!.length / norms.length
  let sum = 0
  for (let i = 0; i < change.length; i++) {
    let square = 0
    for (let j = 0; j < width; j++) {
      let value = 0
      for (const term of terms) value += term.change[i]! * directions![term.direction * width + j]!
      square += value * value
    }
    sum += Math.sqrt(square)
  }
  return sum / change.length
}
