/** Measures a planned latent: its effects, and its activations beside its concept's labels. */

import { Random } from '../core/random.ts'
import { type Activations, activationsIn, firstPosition, valuesOf } from '../latents/activations.ts'
import type { Interventions } from '../latents/interventions.ts'
import { conceptRows } from './claims/concepts.ts'
import { donorOf, mainEdits, reachIn } from './claims/edits.ts'
import type { LatentPlan, Material } from './claims/plan.ts'
import { nullMaxima } from './claims/selectivity.ts'
import { controlCount } from './config.ts'
import type { Written } from './interventions/written.ts'
import { type MeasuredLatent, type MeasureHooks, type MeasureRequest, measureLatent } from './measure-latent.ts'
import { fewestDocuments, type Measured, type SelectivityRow } from './rows.ts'

/**
 * What a planned latent's edits are made from in a window, donors being of the text given; what none of the interventions needs is
 * left out.
 */
export function sourcesOf(
  material: Material,
  { claim }: LatentPlan,
  written: readonly Written[],
  text: Activations,
): MeasureRequest['sourceOf'] {
  const { model, sae, discovery, decoder } = material
  const { feature } = claim
  const kinds = written.map(({ kind }) => kind)
  const direction = decoder.slice(feature * sae.width, (feature + 1) * sae.width)
  const mean = valuesOf(discovery, feature).reduce((sum, value) => sum + value, 0) / discovery.tokens
  return ({ window, activations }) => {
    const reach = kinds.some(({ reaches }) => reaches)
      ? reachIn(model, sae.metadata.hook_name, window, direction)
      : undefined
    const donor = kinds.some(({ name }) => name === 'resample')
      ? donorOf(text, feature, window, feature, material)
      : new Map<number, number>()
    return { activations, donor, mean, unit: claim.discovery.unit, reach: position => reach![position]! }
  }
}

/** Measures a planned latent: its effects, its activations beside its concept's labels, and the null of selectivity. */
export async function measurePlan(
  material: Material,
  interventions: Interventions,
  plan: LatentPlan,
  hooks: MeasureHooks,
): Promise<Omit<Measured, 'claim' | 'rows'> & MeasuredLatent> {
  const { sae, config, seed, text, decoder } = material
  const { claim, concept, target, documents, controls: drawn } = plan
  const { feature } = claim
  const edits = mainEdits(config)
  const enough = claim.documents.ablate.length >= fewestDocuments && claim.discovery.unit > 0
  const measured = !enough
    ? { rows: [], tied: [] }
    : await measureLatent(
        interventions,
        {
          claim,
          looks: true,
          feature,
          direction: decoder.slice(feature * sae.width, (feature + 1) * sae.width),
          controls: drawn,
          target,
          ...documents,
          primary: claim.primary,
          doses: claim.doses,
          dose: claim.dose,
          tied: material.tied.count,
          batchTokens: config.batchTokens,
          edits,
          sourceOf: sourcesOf(material, plan, Object.values(edits), material.validation),
        },
        hooks,
      )
  if (concept < 0) return { ...measured, selectivity: [], nullMaxima: [] }
  const random = new Random(seed, 'shuffle', text.concepts[concept]!)
  return {
    ...measured,
    selectivity: selectivityRows(material, feature, concept),
    nullMaxima: nullMaxima(
      text.validationRanks,
      text.validationLabels,
      concept,
      controlCount(config.shuffles, material.claims, config.alpha),
      random,
    ),
  }
}

function selectivityRows(
  { text: { validationLabels: labels }, validation, unitOf }: Material,
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
