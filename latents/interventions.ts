/**
 * Interventions at a site: the error-preserving edit x += (f′ − f)·d, many at once on one document.
 *
 * A document is run once as it is (`clean-pass.ts`), and every edit is a row of a batch that starts at its stored residual, and
 * behind its stored keys and values where much comes before the first edited position. Each row may carry another direction
 * and strength. What the SAE does not explain stays in x, and f′ = f adds zero: an exact no-op.
 */
import type { TokenWindow } from '../datasets/document.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Hook, Model } from '../model/model.ts'
import { type CleanPass, cleanPasses, lastSite, startBefore } from './clean-pass.ts'
import { type Changes, lossChanges, meansOf, tailOf, targetReadout } from './edit-changes.ts'
import {
  type DocumentEdits,
  deltaOf,
  type Edit,
  type EditEffect,
  normOf,
  positionsOf,
  type TargetEffect,
} from './edits.ts'

export { startBefore } from './clean-pass.ts'
export type { DocumentEdits, Edit, EditEffect, EditTerm, TargetEffect } from './edits.ts'

/** Edits of many documents at one site. Keeps what it knows of a document, for the next edits of it. */
export interface Interventions {
  /** The effect of each edit on a document, in the order given. */
  measure(request: DocumentEdits): EditEffect[]
  /**
   * The effect of each edit on its targets alone: weights sum to zero, so that normalisers cancel and no logits are needed where
   * they are a product of the last values.
   */
  measureTargets(request: DocumentEdits): TargetEffect[]
  /** Largest |difference| of a document's logits when the hook is installed and adds nothing: 0 for an exact no-op. */
  sham(window: TokenWindow, width: number): number
  dispose(): void
}

/** Bytes of clean passes that are kept. */
const keptBytes = 2 ** 28

/** Logits that a pass may hold (float32), so that a large vocabulary does not exhaust memory. */
const maximumLogits = 2 ** 25

/** Interventions at a site of a model. The caller disposes it. */
export function interventionsAt(model: Model, site: string): Interventions {
  const passes = cleanPasses(model, site, keptBytes)
  const place: Place = { model, site, multiplies: multiplies(model, site) }
  const shams = new Map<string, number>()
  return {
    measure: request =>
      measure(place, request, passes.of(request.window.tokens), true).map(({ losses, ...effect }) => ({
        ...effect,
        ...losses!,
      })),
    measureTargets: request =>
      measure(place, request, passes.of(request.window.tokens), false).map(({ losses: _, ...effect }) => effect),
    sham(window, width) {
      const key = window.tokens.join()
      const found = shams.get(key) ?? shamDifference(model, site, window, width)
      shams.set(key, found)
      return found
    },
    dispose: () => passes.dispose(),
  }
}

/** The effect of each edit on a document, in the order given. Leaves no tensor behind. */
export function measureEdits(model: Model, site: string, request: DocumentEdits): EditEffect[] {
  const interventions = interventionsAt(model, site)
  try {
    return interventions.measure(request)
  } finally {
    interventions.dispose()
  }
}

/** A hook that adds `delta` [batch, position, width] to a site, whatever axes its width is split into. */
export function adding(delta: Tensor3D): Hook {
  return value => value.add(delta.reshape(value.shape))
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

/** Where edits are made. */
interface Place {
  readonly model: Model
  readonly site: string
  /** Whether targets can be read off the values that logits are a product of. */
  readonly multiplies: boolean
}

/** A batch of edits, and the position that its passes start at: 0, or one behind stored keys and values. */
interface Batch {
  readonly edits: readonly Edit[]
  readonly from: number
}

type Measured = TargetEffect & { readonly losses: { readonly loss: number; readonly kl: number } | undefined }

function measure(place: Place, request: DocumentEdits, clean: CleanPass, losses: boolean): Measured[] {
  const { window, edits, bank, measuredAt } = request
  const { length } = window.tokens
  if (measuredAt && !(measuredAt.length > 0 && measuredAt.every(position => position >= 0 && position < length)))
    throw new RangeError(
      `Positions to measure at must lie in the window of ${length} tokens: ${measuredAt.join(', ')}.`,
    )
  const norms = onHost(() => bank.norm('euclidean', 1).dataSync<'float32'>() as Float32Array)
  const directions = edits.some(({ also }) => also)
    ? onHost(() => bank.dataSync<'float32'>() as Float32Array)
    : undefined
  const effects = new Map<Edit, Measured>()
  for (const batch of batchesOf(place, request, clean, losses)) {
    const changes = measureBatch(place, request, clean, batch, losses)
    batch.edits.forEach((edit, row) => {
      effects.set(edit, { norm: normOf(edit, norms, directions), ...meansOf(request, edit, changes, row) })
    })
  }
  return edits.map(edit => effects.get(edit)!)
}

/** Edits by their first position, as many at once as fit. */
function batchesOf({ model }: Place, request: DocumentEdits, clean: CleanPass, losses: boolean): Batch[] {
  const { window, edits, batchTokens } = request
  const { length } = window.tokens
  const first = (edit: Edit) => positionsOf(request, edit)[0]!
  const ordered = [...edits].sort((a, b) => first(a) - first(b))
  const tokens = losses ? Math.min(batchTokens, maximumLogits / model.config.vocabulary) : batchTokens
  const batches: Batch[] = []
  for (let start = 0; start < ordered.length; ) {
    // Behind a few positions alone, putting keys together costs more than it saves.
    const from = clean.before && 4 * first(ordered[start]!) >= length ? first(ordered[start]!) : 0
    const rows = Math.max(1, Math.floor(tokens / (length - from)))
    batches.push({ edits: ordered.slice(start, start + rows), from })
    start += rows
  }
  return batches
}

function measureBatch(
  { model, site, multiplies }: Place,
  request: DocumentEdits,
  clean: CleanPass,
  { edits, from }: Batch,
  losses: boolean,
): Changes {
  const { window } = request
  const count = window.tokens.length - from
  const rows = edits.length
  return onHost(() => {
    const own = window.tokens.subarray(from)
    const tokens = tf.tensor2d(own, [1, count], 'int32').tile([rows, 1]) as Tensor2D
    const options = {
      hooks: { [site]: adding(deltaOf(request, edits, from)) },
      ...(clean.start && {
        from: { site: clean.start.site, value: tailOf(clean.start.value, from).tile([rows, 1, 1]) as Tensor3D },
      }),
      ...(from > 0 && { prefix: clean.before!(from) }),
    }
    if (!losses && multiplies) {
      const values = model.run(tokens, { ...options, until: lastSite }) as Tensor3D
      const read = targetReadout(request, edits, weights => model.logitColumns(weights)!)
      return { from, count, targets: read(values.sub(tailOf(clean.last!, from))), losses: undefined }
    }
    const { logits, probabilities } = clean.logits()
    const d = (model.run(tokens, options) as Tensor3D).sub(tailOf(logits, from)) as Tensor3D
    return {
      from,
      count,
      targets: targetReadout(request, edits, weights => weights)(d),
      losses: losses ? lossChanges(window, tailOf(probabilities, from), d) : undefined,
    }
  })
}

/** Whether logits are a product of values that come after the site. */
function multiplies(model: Model, site: string): boolean {
  if (!startBefore(site) || !model.sites.some(({ name }) => name === lastSite)) return false
  return onHost(() => model.logitColumns(tf.zeros([model.config.vocabulary, 1]) as Tensor2D) !== null)
}
