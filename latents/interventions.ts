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

/** One edit of a document: a direction of the bank, and how much of it is added at each edited position. */
export interface Edit {
  /** Row of the bank of directions. */
  readonly direction: number
  /** f′ − f at each edited position. */
  readonly change: Float32Array
  /** Edited positions, ascending; default: the document's. */
  readonly positions?: readonly number[]
  /** Weights of its own target over the vocabulary, which sum to zero; default: the document's. */
  readonly weights?: Float32Array
}

/** What an edit did to one document, as differences from the document as it is. */
export interface EditEffect {
  /** Mean ‖Δx‖ over the edited positions. */
  readonly norm: number
  /** Mean change of the target Σ_v w_v · log p_v over the edited positions. */
  readonly target: number
  /** Mean change of next-token loss in nats, from the first edited position on. */
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
  const { window, positions, edits, batchTokens } = request
  const length = window.tokens.length
  const vocabulary = model.config.vocabulary
  const rows = Math.max(1, Math.floor(Math.min(batchTokens, maximumLogits / vocabulary) / length))
  const norms = onHost(() => request.bank.norm('euclidean', 1).dataSync<'float32'>())
  const clean = cleanPass(model, site, request, firstEdited(request))
  const effects: EditEffect[] = []
  try {
    for (let start = 0; start < edits.length; start += rows) {
      const part = edits.slice(start, start + rows)
      const measured = measureBatch(model, site, request, clean, part)
      part.forEach((edit, row) => {
        const changes = edit.change.reduce((sum, change) => sum + Math.abs(change), 0)
        const own = edit.positions ?? positions
        effects.push({
          norm: (changes / own.length) * norms[edit.direction]!,
          ...reduceRow(own, clean, measured, row),
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
}

function measureBatch(
  model: Model,
  site: string,
  request: DocumentEdits,
  clean: Clean,
  edits: readonly Edit[],
): Changes {
  const { window, positions, bank } = request
  const length = window.tokens.length
  const batch = edits.length
  const changes = new Float32Array(batch * length)
  edits.forEach((edit, row) => {
    for (const [i, position] of (edit.positions ?? positions).entries())
      changes[row * length + position] = edit.change[i]!
  })
  const before = startBefore(site)
  return onHost(() => {
    const tokens = tf.tensor2d(window.tokens, [1, length], 'int32').tile([batch, 1]) as Tensor2D
    const rows = tf.gather(
      bank,
      tf.tensor1d(
        edits.map(edit => edit.direction),
        'int32',
      ),
    )
    const delta = tf.tensor3d(changes, [batch, length, 1]).mul(rows.expandDims(1)) as Tensor3D
    const logits = model.run(tokens, {
      hooks: { [site]: adding(delta) },
      ...(before && clean.start && { from: { site: before, value: clean.start.tile([batch, 1, 1]) as Tensor3D } }),
    }) as Tensor3D
    return readChanges(request, clean, edits, tailOf(logits, clean.first).sub(clean.logits))
  })
}

/**
 * From the change d of the logits [rows, positions, vocabulary], with p the clean distribution:
 *
 *   KL(clean ‖ edited) = ln E_p[e^d] − E_p[d]      Δloss = ln E_p[e^d] − d_next      ΔM = Σ_v w_v d_v
 *
 * Nothing large is taken from something large, and d = 0 gives exactly 0. The last position has no next token.
 */
function readChanges(
  { window, weights }: DocumentEdits,
  { first, probabilities }: Clean,
  edits: readonly Edit[],
  d: Tensor3D,
): Changes {
  const [batch, count, vocabulary] = d.shape
  const host = (tensor: Tensor) => tensor.dataSync<'float32'>() as Float32Array
  const normaliser = d.expm1().mul(probabilities).sum(-1).log1p()
  const kl = host(normaliser.sub(d.mul(probabilities).sum(-1)))
  const target = host(
    edits.some(edit => edit.weights)
      ? d.matMul(ownWeights(edits, weights, vocabulary))
      : d.reshape([-1, vocabulary]).matMul(tf.tensor2d(weights, [vocabulary, 1])),
  )
  const loss = host(normaliser).slice()
  const places = new Int32Array(batch * count)
  for (let i = 0; i < places.length; i++) places[i] = i * vocabulary + (window.tokens[first + (i % count) + 1] ?? 0)
  const next = host(tf.gather(d.reshape([-1]), tf.tensor1d(places, 'int32')))
  for (let i = 0; i < loss.length; i++) loss[i] = i % count === count - 1 ? 0 : loss[i]! - next[i]!
  return { loss, target, kl }
}

/** Each edit's weights [edits, vocabulary, 1]. */
function ownWeights(edits: readonly Edit[], shared: Float32Array, vocabulary: number): Tensor3D {
  const all = new Float32Array(edits.length * vocabulary)
  edits.forEach((edit, row) => {
    all.set(edit.weights ?? shared, row * vocabulary)
  })
  return tf.tensor3d(all, [edits.length, vocabulary, 1])
}

/** Means over an edit's positions (target), and from its first one on (loss, KL). */
function reduceRow(
  positions: readonly number[],
  { first, logits }: Clean,
  changes: Changes,
  row: number,
): Omit<EditEffect, 'norm'> {
  const count = logits.shape[1]
  const start = row * count
  const skipped = positions[0]! - first
  const counted = count - skipped
  let loss = 0
  let kl = 0
  for (let i = start + skipped; i < start + count; i++) {
    loss += changes.loss[i]!
    kl += changes.kl[i]!
  }
  let target = 0
  for (const position of positions) target += changes.target[start + position - first]!
  return { target: target / positions.length, loss: counted > 1 ? loss / (counted - 1) : 0, kl: kl / counted }
}
