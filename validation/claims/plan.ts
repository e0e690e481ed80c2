/** One latent: everything that is fixed before it is measured, and the measurement. */
import { Random } from '../../core/random.ts'
import { type Activations, activationsIn, FIRST_POSITION } from '../../latents/activations.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import type { ValidateConfig } from '../config.ts'
import { type ControlDirections, type ControlKind, controlKinds, controls } from '../controls/index.ts'
import type { Claim } from '../evidence.ts'
import type { Measured, SelectivityRow } from '../judging/assemble.ts'
import { FEWEST_DOCUMENTS } from '../judging/verdict.ts'
import { measureLatent } from '../measure.ts'
import type { Candidate } from './choose.ts'
import { type ClaimDocuments, claimOf, drawDocuments } from './claims.ts'
import { type ConceptLabels, conceptRows } from './concepts.ts'
import type { LabelledText } from './labelled-text.ts'
import { nullMaxima } from './selectivity.ts'
import { firingTarget, type Target } from './targets.ts'

/** What all latents' plans and measurements share. */
export interface Study {
  readonly model: Model
  readonly sae: Sae
  readonly config: ValidateConfig
  readonly seed: number
  readonly text: LabelledText
  readonly discovery: Activations
  readonly validation: Activations
  /** Decoder rows [latents, width]. */
  readonly decoder: Float32Array
  /** Centred rows for covariance-matched directions. */
  readonly samples: Float32Array
}

/** A latent with everything that is fixed before it is measured. */
export interface Plan {
  readonly claim: Claim
  /** Place of the claimed concept, or −1. */
  readonly concept: number
  readonly target: Target
  readonly documents: ClaimDocuments
  readonly controls: Partial<Record<ControlKind, ControlDirections>>
}

/** Another latent that tells the claimed concept this well on discovery text is no foreign one. */
const SAME_CONCEPT_AUROC = 0.7

/** Fixes a latent's claim, target, documents and controls. Looks at no effect of its direction. */
export function planLatent(study: Study, candidate: Candidate): Plan {
  const { model, sae, config, seed, text, discovery, validation, decoder, samples } = study
  const { latent } = candidate
  // A latent that tells no concept on discovery text is about none, unless concepts are all that is asked for.
  const named = candidate.concept >= 0 && (config.claims === 'concept' || candidate.auroc >= config.minimumAuroc)
  const concept = named ? text.concepts[candidate.concept]! : null
  const target =
    concept === null ? firingTarget(discovery, latent, model.config.vocabulary) : text.targetOf(candidate.concept)
  const sameConcept = new Set(
    text.candidates
      .filter(
        other =>
          concept !== null &&
          text.aurocs[other.latent * text.concepts.length + candidate.concept]! >= SAME_CONCEPT_AUROC,
      )
      .map(other => other.latent),
  )
  const active = text.candidates.map(other => other.latent)
  const drawn: Partial<Record<ControlKind, ControlDirections>> = {}
  for (const kind of controlKinds) {
    if (config.controls[kind] === 0) continue
    const random = new Random(seed, 'control', kind, latent)
    drawn[kind] = controls[kind].draw(
      { width: sae.width, latent, decoder, active, sameConcept, samples, random },
      config.controls[kind],
    )
  }
  // Asked for concepts only, a latent without one has no claim to measure.
  const nothing = concept === null && config.claims === 'concept'
  const documents = nothing ? { ablate: [], steer: [] } : drawDocuments(validation, latent, config, seed)
  const counts = Object.fromEntries(Object.entries(drawn).map(([kind, { ids }]) => [kind, ids.length]))
  const claim = claimOf(candidate, concept, target, discovery, documents, counts, config)
  return { claim, concept: named ? candidate.concept : -1, target, documents, controls: drawn }
}

/** Measures a planned latent: its effects, its activations beside its concept's labels, and the null of selectivity. */
export async function measurePlan(
  study: Study,
  plan: Plan,
  onDocument: () => void | Promise<void>,
): Promise<Omit<Measured, 'claim'>> {
  const { model, sae, config, seed, text, validation, decoder } = study
  const { claim, concept, target, documents, controls: drawn } = plan
  const { feature } = claim
  const enough = documents.ablate.length >= FEWEST_DOCUMENTS && claim.discovery.unit > 0
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
    selectivity: selectivityRows(feature, concept, text.validationLabels, validation),
    nullMaxima: nullMaxima(text.validationRanks, text.validationLabels, concept, config.shuffles, random),
  }
}

function selectivityRows(
  feature: number,
  concept: number,
  labels: ConceptLabels,
  validation: Activations,
): SelectivityRow[] {
  const carries = conceptRows(labels, concept)
  return validation.windows.map((window, w) => {
    const active = activationsIn(validation, feature, w)
    const tokens = window.tokens.length - FIRST_POSITION
    return {
      feature,
      document: window.id,
      tokens,
      positions: [...active.keys()],
      activations: [...active.values()],
      labelled: Array.from({ length: tokens }, (_, i) => i + FIRST_POSITION).filter(
        position => carries[labels.rowStart[w]! + position - FIRST_POSITION],
      ),
    }
  })
}
