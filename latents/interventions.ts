/**
 * Interventions at a site: the error-preserving edit x += (f′ − f)·d, many at once on one document.
 *
 * A document is run once as it is; its residual before the site is stored, and every edit is a row of a batch that
 * starts there, so that only later blocks are computed and each row may carry another direction and strength. What the
 * SAE does not explain stays in x, and f′ = f adds zero: an exact no-op.
 */
import { blockOf, inBlock, residualOf } from '../core/sites.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Hook, Model } from '../model/model.ts'

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

/** What an edit did to one document, as differences from the document as it is. */
export interface EditEffect {
  /** Mean ‖Δx‖ over the edited positions. */
  readonly norm: number
  /** Mean change of the target Σ_v w_v · log p_v over the edited positions, or those that are measured. */
  readonly target: number
  /** Mean change of next-token loss in nats from the first edited position on, or over those that are measured. */
  readonly loss: number
  /** Mean KL(clean ‖ edited) in nats over the same positions. */
  readonly kl: number
  /** The same as `target` for each further target; absent where none were asked for. */
  readonly targets?: readonly number[]
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

/** Logits that a pass may hold (float32), so that a large vocabulary does not exhaust memory. */
const maximumLogits = 2 ** 25

/** The residual from which a site can be reached without the blocks before it; undefined: from the tokens. */
export function startBefore(site: string): string | undefined {
  if (residualOf(site)) return site
  const block = blockOf(site)
  return block && inBlock(block.layer, 'hook_resid_pre')
}

/** A hook that adds `delta` [batch, position, width] to a site, whatever axes its width is split into. */
export function adding(delta: Tensor3D): Hook {
  return value => value.add(delta.reshape(value.shape))
}

/** The effect of each edit on a document, in the order given. Leaves no tensor behind. */
export function measureEdits(model: Model, site: string, request: DocumentEdits): EditEffect[] {
  const { window, positions, edits, batchTokens, measuredAt } = request
  const length = window.tokens.length
  if (measuredAt && !(measuredAt.length > 0 && measuredAt.every(position => position >= 0 && position < length)))
    throw new RangeError(
      `Positions to measure at must lie in the window of ${length} tokens: ${measuredAt.join(', ')}.`,
    )
  const vocabulary = model.config.vocabulary
  const rows = Math.max(1, Math.floor(Math.min(batchTokens, maximumLogits / vocabulary) / length))
  const norms = onHost(() => request.bank.norm('euclidean', 1).dataSync<'float32'>())
  const directions = edits.some(({ also }) => also) ? onHost(() => request.bank.dataSync<'float32'>()) : undefined
  const clean = cleanPass(model, site, request, firstEdited(request))
  const effects: EditEffect[] = []
  try {
    for (let start = 0; start < edits.length; start += rows) {
      const part = edits.slice(start, start + rows)
      const measured = measureBatch(model, site, request, clean, part)
      part.forEach((edit, row) => {
        const own = edit.positions ?? positions
        effects.push({
          norm: edit.also
            ? jointNorm(edit, directions!, request.bank.shape[1])
            : meanChange(edit) * norms[edit.direction]!,
          ...reduceRow(request, own, clean, measured, row),
        })
      })
    }
  } finally {
    tf.dispose([clean.logits, clean.probabilities, ...(clean.start ? [clean.start] : [])])
  }
  return effects
}

/** Largest |difference| of the logits when the hook is installed and adds nothing: 0 for an exact no-op. */
export function shamDifference(model: Model, site: string, window: TokenWindow, width: number): number {
  return onHost(() => {
    const tokens = tf.tensor2d(window.tokens, [1, window.tokens.length], 'int32')
    const before = startBefore(site)
    const plain = model.run(tokens)
    const nothing = tf.zeros([1, window.tokens.length, width]) as Tensor3D
    const hooked = model.run(tokens, {
      hooks: { [site]: adding(nothing) },
      ...(before && { from: { site: before, value: model.run(tokens, { until: before }) as Tensor3D } }),
    })
    return hooked.sub(plain).abs().max().dataSync()[0]!
  })
}

interface Clean {
  /** Stored residual [1, position, width] where the site can be reached from one. */
  readonly start: Tensor3D | undefined
  /** First edited position: nothing before it changes. */
  readonly first: number
  /** From `first` on: [1, positions, vocabulary]. */
  readonly logits: Tensor3D
  readonly probabilities: Tensor3D
}

/** The first position that any edit changes. */
function firstEdited({ positions, edits }: DocumentEdits): number {
  return edits.reduce((first, edit) => Math.min(first, (edit.positions ?? positions)[0]!), Number.POSITIVE_INFINITY)
}

function cleanPass(model: Model, site: string, { window }: DocumentEdits, first: number): Clean {
  const before = startBefore(site)
  const [logits, probabilities, start] = tf.tidy(() => {
    const tokens = tf.tensor2d(window.tokens, [1, window.tokens.length], 'int32')
    const value = before ? (model.run(tokens, { until: before }) as Tensor3D) : undefined
    const all = model.run(tokens, before && value ? { from: { site: before, value } } : {}) as Tensor3D
    const tail = tailOf(all, first)
    return [tail, tail.softmax(-1), ...(value ? [value] : [])]
  }) as [Tensor3D, Tensor3D, Tensor3D | undefined]
  return { start, first, logits, probabilities }
}

function tailOf(logits: Tensor3D, first: number): Tensor3D {
  const [batch, length, vocabulary] = logits.shape
  return logits.slice([0, first, 0], [batch, length - first, vocabulary])
}

/** Changes at each position from `first` on, row by row. */
interface Changes {
  readonly loss: Float32Array
  readonly target: Float32Array
  readonly kl: Float32Array
  /** Of further targets [rows, positions, targets]; undefined where there are none. */
  readonly targets: Float32Array | undefined
}

function measureBatch(
  model: Model,
  site: string,
  request: DocumentEdits,
  clean: Clean,
  edits: readonly Edit[],
): Changes {
  const { window } = request
  const length = window.tokens.length
  const batch = edits.length
  const before = startBefore(site)
  return onHost(() => {
    const tokens = tf.tensor2d(window.tokens, [1, length], 'int32').tile([batch, 1]) as Tensor2D
    const logits = model.run(tokens, {
      hooks: { [site]: adding(deltaOf(request, edits)) },
      ...(before && clean.start && { from: { site: before, value: clean.start.tile([batch, 1, 1]) as Tensor3D } }),
    }) as Tensor3D
    return readChanges(request, clean, edits, tailOf(logits, clean.first).sub(clean.logits))
  })
}

const termsOf = (edit: Edit): readonly EditTerm[] => (edit.also ? [edit, ...edit.also] : [edit])

/** What each edit adds [edits, position, width]: Σ change · row over its terms. */
function deltaOf({ window, positions, bank }: DocumentEdits, edits: readonly Edit[]): Tensor3D {
  const length = window.tokens.length
  const terms = Math.max(...edits.map(edit => termsOf(edit).length))
  const changes = new Float32Array(edits.length * length * terms)
  const directions = new Int32Array(edits.length * terms)
  edits.forEach((edit, row) => {
    termsOf(edit).forEach(({ direction, change }, term) => {
      directions[row * terms + term] = direction
      for (const [i, position] of (edit.positions ?? positions).entries())
        changes[(row * length + position) * terms + term] = change[i]!
    })
  })
  const rows = tf.gather(bank, tf.tensor1d(directions, 'int32'))
  if (terms === 1) return tf.tensor3d(changes, [edits.length, length, 1]).mul(rows.expandDims(1)) as Tensor3D
  return tf.matMul(
    tf.tensor3d(changes, [edits.length, length, terms]),
    rows.reshape([edits.length, terms, bank.shape[1]]) as Tensor3D,
  )
}

/**
 * From the change d of the logits [rows, positions, vocabulary], with p the clean distribution:
 *
 *   KL(clean ‖ edited) = ln E_p[e^d] − E_p[d]      Δloss = ln E_p[e^d] − d_next      ΔM = Σ_v w_v d_v
 *
 * Nothing large is taken from something large, and d = 0 gives exactly 0. The last position has no next token.
 */
function readChanges(
  { window, weights, targets: further = [] }: DocumentEdits,
  { first, probabilities }: Clean,
  edits: readonly Edit[],
  d: Tensor3D,
): Changes {
  const [batch, count, vocabulary] = d.shape
  const host = (tensor: Tensor) => tensor.dataSync<'float32'>() as Float32Array
  const normaliser = d.expm1().mul(probabilities).sum(-1).log1p()
  const kl = host(normaliser.sub(d.mul(probabilities).sum(-1)))
  const flat = d.reshape([-1, vocabulary])
  const target = host(
    edits.some(edit => edit.weights)
      ? d.matMul(ownWeights(edits, weights, vocabulary))
      : flat.matMul(tf.tensor2d(weights, [vocabulary, 1])),
  )
  const targets = further.length > 0 ? host(flat.matMul(columnsOf(further, vocabulary), false, true)) : undefined
  const loss = host(normaliser).slice()
  const places = new Int32Array(batch * count)
  for (let i = 0; i < places.length; i++) places[i] = i * vocabulary + (window.tokens[first + (i % count) + 1] ?? 0)
  const next = host(tf.gather(d.reshape([-1]), tf.tensor1d(places, 'int32')))
  for (let i = 0; i < loss.length; i++) loss[i] = i % count === count - 1 ? 0 : loss[i]! - next[i]!
  return { loss, target, kl, targets }
}

/** Weights of the further targets [targets, vocabulary]. */
function columnsOf(targets: readonly Float32Array[], vocabulary: number): Tensor2D {
  const all = new Float32Array(targets.length * vocabulary)
  targets.forEach((weights, i) => {
    all.set(weights, i * vocabulary)
  })
  return tf.tensor2d(all, [targets.length, vocabulary])
}

/** Each edit's weights [edits, vocabulary, 1]. */
function ownWeights(edits: readonly Edit[], shared: Float32Array, vocabulary: number): Tensor3D {
  const all = new Float32Array(edits.length * vocabulary)
  edits.forEach((edit, row) => {
    all.set(edit.weights ?? shared, row * vocabulary)
  })
  return tf.tensor3d(all, [edits.length, vocabulary, 1])
}

/** Mean |change| of an edit of one term. */
function meanChange({ change }: EditTerm): number {
  return change.reduce((sum, value) => sum + Math.abs(value), 0) / change.length
}

/** Mean ‖Σ change · row‖ over the positions of an edit of several terms. */
function jointNorm(edit: Edit, directions: Float32Array, width: number): number {
  const terms = termsOf(edit)
  let sum = 0
  for (let i = 0; i < edit.change.length; i++) {
    let square = 0
    for (let j = 0; j < width; j++) {
      let value = 0
      for (const { direction, change } of terms) value += change[i]! * directions[direction * width + j]!
      square += value * value
    }
    sum += Math.sqrt(square)
  }
  return sum / edit.change.length
}

/** Means of an edit's changes over the positions that are measured. */
function reduceRow(
  { measuredAt, targets = [] }: DocumentEdits,
  positions: readonly number[],
  { first, logits }: Clean,
  changes: Changes,
  row: number,
): Omit<EditEffect, 'norm'> {
  const count = logits.shape[1]
  const last = first + count - 1
  const at = row * count - first
  const tail = measuredAt ?? Array.from({ length: last - positions[0]! + 1 }, (_, i) => positions[0]! + i)
  const own = measuredAt ?? positions
  // Nothing before the first edited position changes.
  const sum = (over: readonly number[], value: (place: number) => number) =>
    over.reduce((total, position) => total + (position < first ? 0 : value(at + position)), 0)
  const predicting = tail.filter(position => position < last)
  return {
    target: sum(own, place => changes.target[place]!) / own.length,
    loss: predicting.length > 0 ? sum(predicting, place => changes.loss[place]!) / predicting.length : 0,
    kl: sum(tail, place => changes.kl[place]!) / tail.length,
    ...(changes.targets && {
      targets: targets.map((_, i) => sum(own, place => changes.targets![place * targets.length + i]!) / own.length),
    }),
  }
}
