/**
 * Interventions at a site: the error-preserving edit x += (f′ − f)·d, many at once on one document.
 *
 * A document is run once as it is (`clean-pass.ts`), and every edit starts at its stored residual and behind its stored keys and
 * values: in one op for a batch of them where the model has that (`edited-batches.ts`), else as a row of a batch of passes with a
 * hook. Each may carry another direction and strength. What the SAE does not explain stays in x, and f′ = f adds zero: an exact no-op.
 */
import { blockOf, residualOf } from '../core/sites.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { onHost } from '../engine/host.ts'
import { rowNorms } from '../engine/ops/sae/rows.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Hook, Model, RunOptions } from '../model/model.ts'
import { type CleanPass, cleanPasses, lastSite, startBefore } from './clean-pass.ts'
import {
  askedOf,
  type Changes,
  lossChanges,
  meansOf,
  rowsAt,
  spreadOut,
  tailOf,
  targetReadout,
} from './edit-changes.ts'
import { editedBatches, editedChanges, targetColumns } from './edited-batches.ts'
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

/** What is open at each site of a model, and how many hold it. */
const open = new WeakMap<Model, Map<string, { readonly interventions: Interventions; holders: number }>>()

/**
 * Interventions at a site of a model. The caller disposes it. Those that are open at one time share what is kept of documents, until
 * the last of them is disposed.
 */
export function interventionsAt(model: Model, site: string): Interventions {
  const sites = open.get(model) ?? new Map()
  open.set(model, sites)
  const shared = sites.get(site) ?? { interventions: openAt(model, site), holders: 0 }
  sites.set(site, shared)
  shared.holders++
  let isHeld = true
  return {
    ...shared.interventions,
    dispose() {
      if (isHeld && --shared.holders === 0) {
        sites.delete(site)
        shared.interventions.dispose()
      }
      isHeld = false
    },
  }
}

function openAt(model: Model, site: string): Interventions {
  const passes = cleanPasses(model, site, keptBytes)
  const place: Place = {
    ...{ model, site, multiplies: multiplies(model, site), picks: picks(model, site) },
    columnOf: targetColumns(model),
    normsOf: bankNorms(),
  }
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
      const found = shams.get(key) ?? shamOf(place, window, width, passes.of(window.tokens))
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

/**
 * Largest |difference| of the logits when the hook is installed and adds nothing, from the document's pass as it is: those of one that
 * starts at the same residual without the hook. 0 for an exact no-op.
 */
function shamOf({ model, site }: Place, { tokens }: TokenWindow, width: number, clean: CleanPass): number {
  return onHost(() => {
    const nothing = tf.zeros([1, tokens.length, width]) as Tensor3D
    const hooked = model.run(tf.tensor2d(tokens, [1, tokens.length], 'int32'), {
      hooks: { [site]: adding(nothing) },
      ...(clean.start && { from: clean.start }),
    })
    return hooked.sub(clean.logits()).abs().max().dataSync()[0]!
  })
}

/** Where edits are made. */
interface Place {
  readonly model: Model
  readonly site: string
  /** Whether targets can be read off the values that logits are a product of. */
  readonly multiplies: boolean
  /** Whether the last block can be left to the positions that are read. */
  readonly picks: boolean
  /** What values that logits are a product of are multiplied by to give a target. */
  readonly columnOf: (weights: Float32Array) => Float32Array
  /** Norms of a bank's rows. */
  readonly normsOf: (bank: Tensor2D) => Float32Array
}

/** Norms of the rows of banks, each of which many documents are asked about. */
function bankNorms(): Place['normsOf'] {
  const known = new WeakMap<Tensor2D, Float32Array>()
  return bank => {
    const found = known.get(bank) ?? onHost(() => rowNorms(bank).dataSync<'float32'>().slice())
    known.set(bank, found)
    return found
  }
}

/** A batch of edits, and the position that its passes start at: 0, or one behind stored keys and values. */
interface Batch {
  readonly edits: readonly Edit[]
  readonly from: number
  /** Behind the last position of its passes. */
  readonly end: number
}

type Measured = TargetEffect & { readonly losses: { readonly loss: number; readonly kl: number } | undefined }

function measure(place: Place, request: DocumentEdits, clean: CleanPass, losses: boolean): Measured[] {
  const { window, edits, bank, measuredAt } = request
  const { length } = window.tokens
  if (measuredAt && !(measuredAt.length > 0 && measuredAt.every(position => position >= 0 && position < length)))
    throw new RangeError(
      `Positions to measure at must lie in the window of ${length} tokens: ${measuredAt.join(', ')}.`,
    )
  const norms = place.normsOf(bank)
  const directions = edits.some(({ also }) => also)
    ? onHost(() => bank.dataSync<'float32'>() as Float32Array)
    : undefined
  const effects = new Map<Edit, Measured>()
  const keep = (batch: readonly Edit[], changes: Changes) => {
    batch.forEach((edit, row) => {
      effects.set(edit, { norm: normOf(edit, norms, directions), ...meansOf(request, edit, changes, row) })
    })
  }
  if (clean.edited) {
    const document = { pass: clean.edited, columnOf: place.columnOf }
    for (const batch of editedBatches(request, losses))
      keep(
        batch,
        onHost(() => editedChanges(document, request, batch, losses)),
      )
  } else
    for (const batch of batchesOf(place, request, clean, losses))
      keep(batch.edits, measureBatch(place, request, clean, batch, losses))
  return edits.map(edit => effects.get(edit)!)
}

/** Edits by their first position, as many at once as fit. */
function batchesOf({ model }: Place, request: DocumentEdits, clean: CleanPass, losses: boolean): Batch[] {
  const { window, edits, batchTokens } = request
  const { length } = window.tokens
  const first = (edit: Edit) => positionsOf(request, edit)[0]!
  // Nothing acts on what comes before it, so that behind the last position that is read there is nothing to compute.
  const last = (edit: Edit) => askedOf(request, edit).at(-1) ?? first(edit)
  const end = losses ? length : 1 + edits.reduce((most, edit) => Math.max(most, last(edit)), 0)
  const ordered = [...edits].sort((a, b) => first(a) - first(b))
  const tokens = losses ? Math.min(batchTokens, maximumLogits / model.config.vocabulary) : batchTokens
  const batches: Batch[] = []
  for (let start = 0; start < ordered.length; ) {
    // Behind a few positions alone, putting keys together costs more than it saves.
    const from = clean.before && 4 * first(ordered[start]!) >= length ? first(ordered[start]!) : 0
    const rows = Math.max(1, Math.floor(tokens / (end - from)))
    batches.push({ edits: ordered.slice(start, start + rows), from, end })
    start += rows
  }
  return batches
}

function measureBatch(
  { model, site, multiplies, picks }: Place,
  request: DocumentEdits,
  clean: CleanPass,
  batch: Batch,
  losses: boolean,
): Changes {
  const { edits, from, end } = batch
  const { window } = request
  const count = end - from
  const rows = edits.length
  const part = (value: Tensor3D) => value.slice([0, from, 0], [1, count, value.shape[2]])
  return onHost(() => {
    const tokens = tf.tensor2d(window.tokens.subarray(from, end), [1, count], 'int32').tile([rows, 1]) as Tensor2D
    const options = {
      hooks: { [site]: adding(deltaOf(request, edits, from, end)) },
      ...(clean.start && {
        from: { site: clean.start.site, value: part(clean.start.value).tile([rows, 1, 1]) as Tensor3D },
      }),
      ...(from > 0 && { prefix: clean.before!(from) }),
    }
    if (!losses) {
      const readAt = picks ? readPositions(request, batch) : undefined
      const run = (more: Partial<RunOptions>) => model.run(tokens, { ...options, ...more, ...(readAt && { readAt }) })
      const changed = (value: Tensor, whole: Tensor3D) =>
        value.sub(readAt ? rowsAt(part(whole), readAt) : part(whole)) as Tensor3D
      const read = targetReadout(request, edits, weights => (multiplies ? model.logitColumns(weights)! : weights))
      const found = multiplies
        ? read(changed(run({ until: lastSite }), clean.last!))
        : read(changed(run({}), clean.logits()))
      return { from, count, targets: readAt ? spreadOut(found, readAt, count) : found, losses: undefined }
    }
    const d = (model.run(tokens, options) as Tensor3D).sub(tailOf(clean.logits(), from)) as Tensor3D
    return {
      from,
      count,
      targets: targetReadout(request, edits, weights => weights)(d),
      losses: lossChanges(window, tailOf(clean.probabilities(), from), d),
    }
  })
}

/** From this share of all positions on, picking them costs what it saves. */
const mostPicked = 0.75

/**
 * For each edit of a batch the positions of its passes that are read, the first one again where another edit has more; undefined
 * where they are most of them.
 */
function readPositions(request: DocumentEdits, { edits, from, end }: Batch): number[][] | undefined {
  const asked = edits.map(edit => askedOf(request, edit).map(position => position - from))
  const most = asked.reduce((longest, { length }) => Math.max(longest, length), 1)
  if (most > mostPicked * (end - from)) return undefined
  return asked.map(own => [...own, ...new Array<number>(most - own.length).fill(own[0] ?? 0)])
}

/** Whether what is edited at the site comes before the last block, or at its very start. */
function picks({ config }: Model, site: string): boolean {
  const residual = residualOf(site)
  const block = blockOf(site)
  if (residual) return residual.layer + (residual.side === 'post' ? 1 : 0) < config.layers
  return block !== undefined && block.layer < config.layers - 1
}

/** Whether logits are a product of values that come after the site. */
function multiplies(model: Model, site: string): boolean {
  if (!startBefore(site) || !model.sites.some(({ name }) => name === lastSite)) return false
  return onHost(() => model.logitColumns(tf.zeros([model.config.vocabulary, 1]) as Tensor2D) !== null)
}
