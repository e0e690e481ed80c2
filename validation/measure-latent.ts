/** Measures one latent: a row per (feature, intervention, dose, control, document), in rounds of controls that may end early. */

import { UserError } from '../core/errors.ts'
import { quote } from '../core/quote.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { Edit, EditEffect, Interventions, TargetEffect } from '../latents/interventions.ts'
import { changesOf, type MainEdits } from './claims/edits.ts'
import type { Target } from './claims/targets.ts'
import type { ControlDirections, ControlKind } from './controls/index.ts'
import type { Claim } from './evidence.ts'
import type { InterventionSource } from './interventions/intervention.ts'
import type { Directed } from './judging/analyse.ts'
import { looksOf } from './judging/looks.ts'
import { firstRound, isGivenUp, isStopped, type Round, roundsOf } from './rounds.ts'
import { type ClaimDocument, type EffectRow, type Intervention, secondaryControls } from './rows.ts'

/** A row of the bank of directions, after the latent's own. */
interface BankControl {
  readonly control: ControlKind
  readonly controlId: number
  /** Its place among those of its kind. */
  readonly place: number
  /** Its row of the bank. */
  readonly direction: number
}

export interface MeasureRequest {
  /** The claim, by whose direction controls are compared with the latent. */
  readonly claim: Directed & Pick<Claim, 'smallestEffect' | 'alpha'>
  /** Whether it may be given up after part of its documents (`judging/looks.ts`). */
  readonly looks: boolean
  readonly feature: number
  /** The latent's decoder row. */
  readonly direction: Float32Array
  readonly controls: Readonly<Partial<Record<ControlKind, ControlDirections>>>
  readonly target: Target
  /** Documents in which the latent is active, and documents in which it is silent (or least active). */
  readonly ablate: readonly ClaimDocument[]
  readonly steer: readonly ClaimDocument[]
  /** The intervention that the verdict rests on. */
  readonly primary: Intervention
  readonly doses: readonly number[]
  /** The dose at which steering is compared with controls. */
  readonly dose: number
  /** How many tied controls the latent has. */
  readonly tied: number
  readonly batchTokens: number
  /** How each intervention edits, and what it is made from in a window. */
  readonly edits: MainEdits
  readonly sourceOf: (document: ClaimDocument) => InterventionSource
}

/** What is asked and told while a latent is measured. */
export interface MeasureHooks {
  /** Rows of a round of the latent's tied controls, for its primary intervention; default: it has none. */
  tied?(round: Round): Promise<readonly EffectRow[]>
  /** A document has its first round of an intervention; may throw to stop. */
  onDocument(): void | Promise<void>
  /** Another piece of work is done; may throw to stop. */
  pause(): void | Promise<void>
}

/** What was measured of a latent. */
export interface MeasuredLatent {
  /** By intervention, the primary one first, then by round of controls, then by document; tied controls are not among them. */
  readonly rows: readonly EffectRow[]
  /** Rounds of tied controls that were asked for. */
  readonly tied: readonly Round[]
}

/**
 * Measures a latent: the intervention that its verdict rests on, until all controls are measured or a kind has ended it, then the
 * other one, of which little is measured where the verdict is known.
 */
export async function measureLatent(
  interventions: Interventions,
  request: MeasureRequest,
  hooks: MeasureHooks,
): Promise<MeasuredLatent> {
  const { bank, controls } = bankOf(request)
  const bench: Bench = { interventions, request, bank, controls, hooks }
  const secondary = request.primary === 'ablate' ? 'steer' : 'ablate'
  try {
    const first = await measureIntervention(bench, request.primary, request[request.primary], Number.POSITIVE_INFINITY)
    const others = first.look === undefined ? request[secondary] : request[secondary].slice(0, first.look)
    const rest = await measureIntervention(bench, secondary, others, first.ended ? firstRound : secondaryControls)
    return { rows: [...first.rows, ...rest.rows], tied: first.tied }
  } finally {
    bank.dispose()
  }
}

/** The latent's direction, then its controls' at its length, kind by kind. */
function bankOf({ direction, controls: drawn }: MeasureRequest): { bank: Tensor2D; controls: BankControl[] } {
  const width = direction.length
  const norm = Math.hypot(...direction)
  const kinds = Object.entries(drawn) as [ControlKind, ControlDirections][]
  const count = kinds.reduce((sum, [, { ids }]) => sum + ids.length, 1)
  const values = new Float32Array(count * width)
  values.set(direction)
  const controls: BankControl[] = []
  for (const [control, { directions, ids }] of kinds) {
    for (let i = 0; i < ids.length; i++) {
      const row = 1 + controls.length
      for (let j = 0; j < width; j++) values[row * width + j] = directions[i * width + j]! * norm
      controls.push({ control, controlId: ids[i]!, place: i, direction: row })
    }
  }
  return { bank: tf.tensor2d(values, [count, width]), controls }
}

interface Bench {
  readonly interventions: Interventions
  readonly request: MeasureRequest
  readonly bank: Tensor2D
  readonly controls: readonly BankControl[]
  readonly hooks: MeasureHooks
}

/** What was measured of an intervention, and how it came to an end. */
interface MeasuredIntervention {
  readonly rows: readonly EffectRow[]
  readonly tied: readonly Round[]
  /** Whether controls were left out. */
  readonly ended: boolean
  /** Windows after which the claim was given up; undefined where it was not. */
  readonly look?: number
}

/**
 * Rounds of at most so many controls of each kind, until one kind ends them; the first round with the latent itself, and with a
 * look at the claim after part of the windows.
 */
async function measureIntervention(
  bench: Bench,
  intervention: Intervention,
  windows: readonly ClaimDocument[],
  most: number,
): Promise<MeasuredIntervention> {
  const { request, controls, hooks } = bench
  const { claim } = request
  const isPrimary = intervention === request.primary
  const kinds: string[] = [...new Set(controls.map(({ control }) => control)), 'tied']
  const askTied = isPrimary && windows.length > 0 ? hooks.tied : undefined
  const drawn = controls.reduce((count, { place }) => Math.max(count, place + 1), askTied ? request.tied : 0)
  const units = new Set(windows.map(({ document }) => document)).size
  const looks = isPrimary && request.looks ? looksOf(units, claim.alpha) : []
  const look = looks.length > 1 ? looks[0] : undefined
  const rows: EffectRow[] = []
  const tied: Round[] = []
  let tiedRows: readonly EffectRow[] = []
  for (const [number, round] of roundsOf(Math.min(drawn, most), true).entries()) {
    const measured = controls.filter(({ place }) => place >= round.start && place < round.end)
    const measure = async (some: readonly ClaimDocument[]) => {
      for (const document of number === 0 || measured.length > 0 ? some : []) {
        for (const row of measureDocument(bench, document, intervention, measured, number === 0)) rows.push(row)
        await (number === 0 ? hooks.onDocument() : hooks.pause())
      }
    }
    // Windows are drawn one of each document first.
    const before = number === 0 && look ? look.documents : windows.length
    await measure(windows.slice(0, before))
    if (askTied && round.start < request.tied) {
      const own = { start: round.start, end: Math.min(round.end, request.tied) }
      tiedRows = [...tiedRows, ...(await askTied(own))]
      tied.push(own)
    }
    if (before < windows.length) {
      if (isGivenUp([...rows, ...tiedRows], claim, intervention, look!.level))
        return { rows, tied, ended: true, look: before }
      await measure(windows.slice(before))
    }
    const all = [...rows, ...tiedRows]
    if (kinds.some(kind => isStopped(all, kind, claim, intervention))) return { rows, tied, ended: true }
  }
  return { rows, tied, ended: false }
}

/** One round in one window: in the first one the latent's edits come before the controls', with loss and KL. */
function measureDocument(
  { interventions, request, bank }: Bench,
  place: ClaimDocument,
  intervention: Intervention,
  controls: readonly BankControl[],
  isFirst: boolean,
): EffectRow[] {
  const { feature, doses, dose, target, batchTokens, direction, edits: main, sourceOf } = request
  const { document, window } = place
  const written = main[intervention]
  const source = sourceOf(place)
  const changeTo = (step: number) =>
    changesOf(written, intervention === 'ablate' ? written.strength : step, source, window.tokens.length)
  const step = intervention === 'ablate' ? 0 : dose
  const own = isFirst ? (intervention === 'ablate' ? [0] : doses) : []
  const { positions, change } = changeTo(step)
  if (positions.length === 0) return []
  const edits: Edit[] = [
    ...own.map(step => ({ direction: 0, change: changeTo(step).change })),
    ...controls.map(control => ({ direction: control.direction, change })),
  ]
  const labels: Pick<EffectRow, 'dose' | 'control' | 'controlId'>[] = [
    ...own.map(step => ({ dose: step, control: 'feature' as const, controlId: null })),
    ...controls.map(({ control, controlId }) => ({ dose: step, control, controlId })),
  ]
  const asked = { window, positions, edits, bank, weights: target.weights, batchTokens }
  const effects: (TargetEffect & Partial<EditEffect>)[] = isFirst
    ? interventions.measure(asked)
    : interventions.measureTargets(asked)
  for (const { norm, target, loss = 0, kl = 0 } of effects)
    if (![norm, target, loss, kl].every(Number.isFinite))
      throw new UserError(
        `Editing latent ${feature} (${intervention}) in ${quote(window.id)} makes the model's predictions not finite.`,
        { fix: 'Check the weights of model and SAE for NaN and infinity, or take smaller doses.' },
      )
  const count = positions.length
  const rows = effects.map(({ norm, target, loss = null, kl = null }, i): EffectRow => {
    const { dose, control, controlId } = labels[i]!
    // Written out: there are so many of them that spreading takes longer.
    return {
      feature,
      intervention,
      dose,
      control,
      controlId,
      document,
      window: window.id,
      positions: count,
      norm,
      target,
      loss,
      kl,
    }
  })
  if (!isFirst || intervention === 'steer') return rows
  const sham = interventions.sham(window, direction.length)
  const nothing = { norm: 0, target: sham, loss: sham, kl: sham }
  const where = { document, window: window.id, positions: count }
  return [{ feature, intervention, dose: 0, control: 'sham', controlId: null, ...where, ...nothing }, ...rows]
}
