/**
 * Interventions at a site: the error-preserving edit x += (f′ − f)·d, many at once on one document.
 *
 * A document is run once as it is; its residual before the site is stored, and every edit is a row of a batch that
 * starts there, so that only later blocks are computed and each row may carry another direction and strength. What the
 * SAE does not explain stays in x, and f′ = f adds zero: an exact no-op.
 */
import type { TokenWindow } from '../datasets/document.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Hook, Model } from '../model/model.ts'
import { onHost } from './on-host.ts'

/** One edit of a document: a direction of the bank, and how much of it is added at each edited position. */
export interface Edit {
  /** Row of the bank of directions. */
  readonly direction: number
  /** f′ − f at each of the document's edited positions. */
  readonly change: Float32Array
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
const MAXIMUM_LOGITS = 2 ** 25

/** The residual from which a site can be reached without the blocks before it; undefined: from the tokens. */
export function startBefore(site: string): string | undefined {
  if (/^blocks\.\d+\.hook_resid_(pre|post)$/.test(site)) return site
  const block = /^blocks\.\d+\./.exec(site)
  return block ? `${block[0]}hook_resid_pre` : undefined
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
  const rows = Math.max(1, Math.floor(Math.min(batchTokens, MAXIMUM_LOGITS / vocabulary) / length))
  const norms = onHost(() => request.bank.norm('euclidean', 1).dataSync<'float32'>())
  const clean = cleanPass(model, site, request)
  const effects: EditEffect[] = []
  try {
    for (let start = 0; start < edits.length; start += rows) {
      const part = edits.slice(start, start + rows)
      const measured = measureBatch(model, site, request, clean, part)
      part.forEach((edit, row) => {
        const changes = edit.change.reduce((sum, change) => sum + Math.abs(change), 0)
        effects.push({
          norm: (changes / positions.length) * norms[edit.direction]!,
          ...reduceRow(request, clean, measured, row),
        })
      })
    }
  } finally {
    tf.dispose([clean.logProbabilities, clean.probabilities, ...(clean.start ? [clean.start] : [])])
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
  readonly logProbabilities: Tensor3D
  readonly probabilities: Tensor3D
  readonly loss: Float32Array
  readonly target: Float32Array
}

function cleanPass(model: Model, site: string, request: DocumentEdits): Clean {
  const first = request.positions[0]!
  const before = startBefore(site)
  let start: Tensor3D | undefined
  const [logProbabilities, probabilities] = tf.tidy(() => {
    const tokens = tf.tensor2d(request.window.tokens, [1, request.window.tokens.length], 'int32')
    start = before ? (model.run(tokens, { until: before }) as Tensor3D) : undefined
    const logits = model.run(tokens, before && start ? { from: { site: before, value: start } } : {}) as Tensor3D
    const log = tailLogProbabilities(logits, first)
    if (start) tf.keep(start)
    return [log, log.exp() as Tensor3D]
  })
  const [loss, target] = onHost(() => readouts(request, logProbabilities, first))
  return { start, first, logProbabilities, probabilities, loss, target }
}

function tailLogProbabilities(logits: Tensor3D, first: number): Tensor3D {
  const [batch, length, vocabulary] = logits.shape
  return logits.slice([0, first, 0], [batch, length - first, vocabulary]).logSoftmax(-1)
}

interface Measured {
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
): Measured {
  const { window, positions, bank } = request
  const length = window.tokens.length
  const batch = edits.length
  const changes = new Float32Array(batch * length)
  edits.forEach((edit, row) => {
    positions.forEach((position, i) => {
      changes[row * length + position] = edit.change[i]!
    })
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
    const log = tailLogProbabilities(logits, clean.first)
    const kl = clean.probabilities.mul(clean.logProbabilities.sub(log)).sum(-1)
    const [loss, target] = readouts(request, log, clean.first)
    return { loss, target, kl: kl.dataSync<'float32'>() as Float32Array }
  })
}

/** Next-token loss and target at each position from `first` on, row by row; the last position has no next token (0). */
function readouts({ window, weights }: DocumentEdits, log: Tensor3D, first: number): [Float32Array, Float32Array] {
  const [batch, count, vocabulary] = log.shape
  const flat = log.reshape([-1])
  const places = new Int32Array(batch * (count - 1))
  for (let row = 0; row < batch; row++)
    for (let i = 0; i < count - 1; i++)
      places[row * (count - 1) + i] = (row * count + i) * vocabulary + window.tokens[first + i + 1]!
  const picked = count > 1 ? (tf.gather(flat, tf.tensor1d(places, 'int32')) as Tensor).dataSync<'float32'>() : []
  const loss = new Float32Array(batch * count)
  for (let row = 0; row < batch; row++)
    for (let i = 0; i < count - 1; i++) loss[row * count + i] = -picked[row * (count - 1) + i]!
  const column = tf.tensor2d(weights, [vocabulary, 1])
  return [loss, log.reshape([-1, vocabulary]).matMul(column).dataSync<'float32'>() as Float32Array]
}

function reduceRow(request: DocumentEdits, clean: Clean, measured: Measured, row: number): Omit<EditEffect, 'norm'> {
  const { window, positions } = request
  const count = window.tokens.length - clean.first
  const at = (values: Float32Array, i: number) => values[row * count + i]!
  let loss = 0
  let kl = 0
  for (let i = 0; i < count; i++) {
    loss += at(measured.loss, i) - clean.loss[i]!
    kl += at(measured.kl, i)
  }
  let target = 0
  for (const position of positions) {
    const i = position - clean.first
    target += at(measured.target, i) - clean.target[i]!
  }
  return {
    target: target / positions.length,
    loss: count > 1 ? loss / (count - 1) : 0,
    kl: kl / count,
  }
}
