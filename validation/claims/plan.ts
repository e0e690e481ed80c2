/** One latent: everything that is fixed before it is measured. */
import { UserError } from '../../core/errors.ts'
import { quote } from '../../core/quote.ts'
import { Random } from '../../core/random.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import type { Activations } from '../../latents/activations.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import { controlCount, tiedControlCount, type ValidateConfig } from '../config.ts'
import { likenessOf } from '../controls/firing.ts'
import { type ControlDirections, type ControlKind, controlKinds, controls } from '../controls/index.ts'
import type { Claim } from '../evidence.ts'
import type { Candidate } from './choose.ts'
import type { StatedClaim } from './claim-file.ts'
import { type ClaimDocuments, claimOf, drawDocuments } from './claims.ts'
import { heldShare } from './held.ts'
import type { LabelledText } from './labelled-text.ts'
import type { Selection } from './selected.ts'
import { firingTarget, type Target } from './targets.ts'
import { type TiedSource, tiedDensity } from './tied.ts'

/** What all latents' plans and measurements share: model, SAE, settings and what was read of the text. */
export interface Material {
  readonly model: Model
  readonly sae: Sae
  readonly config: ValidateConfig
  readonly seed: number
  readonly text: LabelledText
  readonly discovery: Activations
  readonly validation: Activations
  /** Text that is like neither of them; null where settings and dataset name none. */
  readonly outOfDistribution: Activations | null
  /** Decoder rows [latents, width]. */
  readonly decoder: Float32Array
  /** Centred rows for covariance-matched directions. */
  readonly samples: Float32Array
  readonly tied: TiedSource
  /** How many latents are tested: the family of each test. */
  readonly claims: number
  /** The document that a window is of. */
  readonly unitOf: (window: TokenWindow) => string
}

/** What a latent's tied controls are like it in. */
export interface TiedLike {
  readonly density: number
  readonly claimed: 'concept' | 'firing'
  /** Undefined where no labelled concept can be judged, and nothing was chosen by one. */
  readonly selection: Selection | undefined
}

/** A latent with everything that is fixed before it is measured. */
export interface LatentPlan {
  readonly claim: Claim
  /** Place of the claimed concept, or −1. */
  readonly concept: number
  readonly target: Target
  readonly documents: ClaimDocuments
  readonly controls: Partial<Record<ControlKind, ControlDirections>>
  /** The latent's controls that fire on tokens of their own: which density and kind of claim they share. */
  readonly tied: TiedLike
}

/** Another latent that tells the claimed concept this well on discovery text is no foreign one. */
export const sameConceptAuroc = 0.7

/** Fixes a latent's claim, target, documents and controls. Looks at no effect of its direction. */
export function planLatent(material: Material, chosen: Candidate, stated?: StatedClaim): LatentPlan {
  const { model, sae, config, seed, text, discovery, validation, decoder, samples } = material
  const candidate = stated ? candidateFor(material, chosen, stated) : chosen
  const { latent } = candidate
  // A latent that tells no concept on discovery text is about none, unless concepts are all that is asked for.
  const named = stated
    ? stated.concept !== null
    : candidate.concept >= 0 && (config.claims === 'concept' || candidate.auroc >= config.minimumAuroc)
  const concept = named ? text.concepts[candidate.concept]! : null
  const target =
    concept === null ? firingTarget(discovery, latent, model.config.vocabulary) : text.targetOf(candidate.concept)
  const sameConcept = new Set(
    text.candidates
      .filter(
        other =>
          concept !== null && text.aurocs[other.latent * text.concepts.length + candidate.concept]! >= sameConceptAuroc,
      )
      .map(other => other.latent),
  )
  const active = text.candidates.map(other => other.latent)
  const likeness = (others: readonly number[]) => likenessOf(discovery, latent, others)
  const drawn: Partial<Record<ControlKind, ControlDirections>> = {}
  for (const kind of controlKinds) {
    const count = controlCount(config.controls[kind], material.claims, config.alpha)
    if (count === 0) continue
    const random = new Random(seed, 'control', kind, latent)
    drawn[kind] = controls[kind].draw(
      { width: sae.width, latent, decoder, active, sameConcept, samples, likeness, random },
      count,
    )
  }
  // Asked for concepts only, a latent without one has no claim to measure.
  const nothing = concept === null && !stated && config.claims === 'concept'
  const documents = nothing
    ? { ablate: [], steer: [] }
    : drawDocuments(validation, latent, { ...config, seed, lot: latent, unitOf: material.unitOf })
  const counts = Object.fromEntries(Object.entries(drawn).map(([kind, { ids }]) => [kind, ids.length]))
  counts.tied = tiedControlCount(config.controls.tied, material.claims, config.alpha)
  const selection = candidate.concept < 0 ? undefined : selectionOf(material, candidate)
  const claim = claimOf({
    ...{ candidate, concept, target, discovery, documents, controls: counts, stated, config },
    held: heldShare(
      material.tied.discovery,
      discovery,
      latent,
      decoder.subarray(latent * sae.width, (latent + 1) * sae.width),
    ),
    selection: selection
      ? { concept: text.concepts[selection.concept]!, rank: selection.rank, among: selection.among }
      : null,
  })
  const tied: TiedLike = {
    density: tiedDensity(claim.discovery.density),
    claimed: concept === null ? 'firing' : 'concept',
    selection,
  }
  return { claim, concept: named ? candidate.concept : -1, target, documents, controls: drawn, tied }
}

/** The latent with the concept that a file of claims names; a `UserError` where nothing of it could show. */
function candidateFor({ text }: Material, candidate: Candidate, { concept }: StatedClaim): Candidate {
  if (concept === null) return candidate
  const place = text.concepts.indexOf(concept)
  if (place < 0 || !text.usable[place])
    throw new UserError(
      `The claim about latent ${candidate.latent} names the concept ${quote(concept)}, which ${place < 0 ? 'is not among the concepts that may be claimed' : 'does not show in what comes next, or in too few validation documents'}.`,
      { fix: 'Name another concept, lower minimumSeparation, or use more text (dataset.documents, tokens).' },
    )
  const auroc = text.aurocs[candidate.latent * text.concepts.length + place]!
  return { ...candidate, concept: place, auroc: Number.isNaN(auroc) ? 0.5 : auroc }
}

/** Which of the SAE's active latents this one is, by how well each tells its concept on discovery text. */
function selectionOf({ text }: Pick<Material, 'text'>, { latent, concept }: Candidate): Selection {
  const aurocOf = (other: number) => text.aurocs[other * text.concepts.length + concept]!
  const own = aurocOf(latent)
  const better = text.candidates.filter(other => other.latent !== latent && aurocOf(other.latent) > own)
  return { concept, rank: better.length + 1, among: text.candidates.length }
}
