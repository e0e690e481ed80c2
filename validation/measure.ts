/** Measures a planned latent: a row per (feature, intervention, dose, control, document), and its activations beside labels. */

import { UserError } from '../core/errors.ts'
import { quote } from '../core/quote.ts'
import { Random } from '../core/random.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import { activationsIn, firstPosition } from '../latents/activations.ts'
import { type Edit, measureEdits, shamDifference } from '../latents/interventions.ts'
import type { Model } from '../model/model.ts'
import { conceptRows } from './claims/concepts.ts'
import type { LatentPlan, Study } from './claims/plan.ts'
import { nullMaxima } from './claims/selectivity.ts'
import type { Target } from './claims/targets.ts'
import { controlCount } from './config.ts'
import type { ControlDirections, ControlKind } from './controls/index.ts'
import {
  type ClaimDocument,
  type EffectRow,
  fewestDocuments,
  type Intervention,
  type Measured,
  type SelectivityRow,
} from './rows.ts'

/** Controls of a kind for the intervention that no verdict rests on: enough for a rank to be reported beside it. */
const secondaryControls = 99

/** A row of the bank of directions, after the latent's own. */
interface BankControl {
  readonly control: ControlKind
  readonly controlId: number
  /** Its place among those of its kind. */
  readonly place: number
}

export interface MeasureRequest {
  readonly feature: number
  readonly site: string
  /** The latent's decoder row. */
  readonly direction: Float32Array
  readonly controls: Readonly<Partial<Record<ControlKind, ControlDirections>>>
  readonly target: Target
  /** Documents in which the latent is active, and documents in which it is silent (or least active). */
  readonly ablate: readonly ClaimDocument[]
  readonly steer: readonly ClaimDocument[]
  /** The intervention that the verdict rests on. */
  readonly primary: Intervention
  /** The activation that dose 1 means. */
  readonly unit: number
  readonly doses: readonly number[]
  /** The dose at which steering is compared with controls. */
  readonly dose: number
  readonly batchTokens: number
}

/** Every row of one latent, document by document. `onDocument` is called after each; it may throw to stop. */
export async function measureLatent(
  model: Model,
  request: MeasureRequest,
  onDocument: () => void | Promise<void>,
): Promise<EffectRow[]> {
  const { direction, controls } = request
  const width = direction.length
  const norm = Math.hypot(...direction)
  const kinds = Object.entries(controls) as [ControlKind, ControlDirections][]
  const count = kinds.reduce((sum, [, { ids }]) => sum + ids.length, 1)
  const values = new Float32Array(count * width)
  values.set(direction)
  const bankControls: BankControl[] = []
  for (const [control, { directions, ids }] of kinds) {
    for (let i = 0; i < ids.length; i++) {
      const at = (1 + bankControls.length) * width
      for (let j = 0; j < width; j++) values[at + j] = directions[i * width + j]! * norm
      bankControls.push({ control, controlId: ids[i]!, place: i })
    }
  }
  const bank = tf.tensor2d(values, [count, width])
  const rows: EffectRow[] = []
  try {
    for (const document of request.ablate) {
      rows.push(...measureDocument(model, request, document, bank, bankControls, 'ablate'))
      await onDocument()
    }
    for (const document of request.steer) {
      rows.push(...measureDocument(model, request, document, bank, bankControls, 'steer'))
      await onDocument()
    }
  } finally {
    bank.dispose()
  }
  return rows
}

function measureDocument(
  model: Model,
  request: MeasureRequest,
  { document, window, activations }: ClaimDocument,
  bank: Tensor2D,
  bankControls: readonly BankControl[],
  intervention: Intervention,
): EffectRow[] {
  const { feature, site, primary, unit, doses, dose, target, batchTokens, direction } = request
  const positions =
    intervention === 'ablate'
      ? [...activations.keys()]
      : Array.from({ length: window.tokens.length - firstPosition }, (_, i) => i + firstPosition)
  const changeTo = (value: number) => Float32Array.from(positions, position => value - (activations.get(position) ?? 0))
  const edits: Edit[] = []
  const labels: Pick<EffectRow, 'dose' | 'control' | 'controlId'>[] = []
  const add = (edit: Edit, label: (typeof labels)[number]) => {
    edits.push(edit)
    labels.push(label)
  }
  const main = intervention === 'ablate' ? 0 : dose
  if (intervention === 'ablate')
    add({ direction: 0, change: changeTo(0) }, { dose: 0, control: 'feature', controlId: null })
  else
    for (const step of doses)
      add({ direction: 0, change: changeTo(step * unit) }, { dose: step, control: 'feature', controlId: null })
  bankControls.forEach((label, i) => {
    if (intervention !== primary && label.place >= secondaryControls) return
    const { control, controlId } = label
    add({ direction: i + 1, change: changeTo(main * unit) }, { dose: main, control, controlId })
  })
  const effects = measureEdits(model, site, { window, positions, edits, bank, weights: target.weights, batchTokens })
  for (const { norm, target, loss, kl } of effects)
    if (![norm, target, loss, kl].every(Number.isFinite))
      throw new UserError(
        `Editing latent ${feature} (${intervention}) in ${quote(window.id)} makes the model's predictions not finite.`,
        { fix: 'Check the weights of model and SAE for NaN and infinity, or take smaller doses.' },
      )
  const rows = effects.map((effect, i) => ({
    feature,
    intervention,
    ...labels[i]!,
    document,
    window: window.id,
    positions: positions.length,
    ...effect,
  }))
  if (intervention === 'steer') return rows
  const sham = shamDifference(model, site, window, direction.length)
  const nothing = { positions: positions.length, norm: 0, target: sham, loss: sham, kl: sham }
  return [
    { feature, intervention, dose: 0, control: 'sham', controlId: null, document, window: window.id, ...nothing },
    ...rows,
  ]
}

/** Measures a planned latent: its effects, its activations beside its concept's labels, and the null of selectivity. */
export async function measurePlan(
  study: Study,
  plan: LatentPlan,
  onDocument: () => void | Promise<void>,
): Promise<Omit<Measured, 'claim'>> {
  const { model, sae, config, seed, text, decoder } = study
  const { claim, concept, target, documents, controls: drawn } = plan
  const { feature } = claim
  const enough = claim.documents.ablate.length >= fewestDocuments && claim.discovery.unit > 0
  const rows = !enough
    ? []
    : await measureLatent(
        model,
        {
          feature,
          site: sae.metadata.hook_name,
          direction: decoder.slice(feature * sae.width, (feature + 1) * sae.width),
          controls: drawn,
          target,
          ...documents,
          primary: claim.primary,
          unit: claim.discovery.unit,
          doses: claim.doses,
          dose: claim.dose,
          batchTokens: config.batchTokens,
        },
        onDocument,
      )
  if (concept < 0) return { rows, selectivity: [], nullMaxima: [] }
  const random = new Random(seed, 'shuffle', text.concepts[concept]!)
  return {
    rows,
    selectivity: selectivityRows(study, feature, concept),
    nullMaxima: nullMaxima(
      text.validationRanks,
      text.validationLabels,
      concept,
      controlCount(config.shuffles, study.claims, config.alpha),
      random,
    ),
  }
}

function selectivityRows(
  { text: { validationLabels: labels }, validation, unitOf }: Study,
  feature: number,
  concept: number,
): SelectivityRow[] {
  const carries = conceptRows(labels, concept)
  return validation.windows.map((window, w) => {
    const active = activationsIn(validation, feature, w)
    const tokens = window.tokens.length - firstPosition
    return {
      feature,
      document: unitOf(window),
      window: window.id,
      tokens,
      positions: [...active.keys()],
      activations: [...active.values()],
      labelled: Array.from({ length: tokens }, (_, i) => i + firstPosition).filter(
        position => carries[labels.rowStart[w]! + position - firstPosition],
      ),
    }
  })
}
