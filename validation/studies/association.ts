/**
 * Association: how the activation and the claimed concept go together once other things are held fixed. Nothing is run anew:
 * rows are the tokens of discovery and validation text, those at which the latent is silent together.
 *
 * A latent that fires on some tokens tells every concept that goes with these tokens. So its AUROC is taken among pairs of
 * the same token at about the same place, with documents as the unit, and ranked among that of random directions which fire
 * as often and were chosen alike; and the concept that goes with the claimed one most is held fixed, and the other way round.
 */
import { type Activations, activationsIn, firstPosition } from '../../latents/activations.ts'
import { activationsAbove, project, thresholdsAt } from '../../latents/projections.ts'
import { type ConceptLabels, conceptRows } from '../claims/concepts.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import { selectedDirections } from '../claims/selected.ts'
import { roundsOf } from '../rounds.ts'
import { type AssociationRow, judgeAssociation } from './association-found.ts'
import { correlatedConcept } from './correlated.ts'
import { latentStudy, type StudyContext } from './study.ts'
import { aurocWithinToken, placeOf, tokenStrata } from './within-token.ts'

export const association = latentStudy({
  name: 'association',
  question: 'Does the latent tell its concept beyond the tokens that go with it, and from a concept that goes with it?',
  byDefault: true,
  definitions: {
    averagePrecision: 'AUPRC, not interpolated, over validation tokens; prevalence is what chance gives',
    threshold: 'activation from which on the latent counts as firing: the best F1 on discovery text',
    f1: '2·TP / (2·TP + FP + FN) on validation text; interval over documents by the jackknife, as of recall, lift and odds ratio',
    lift: 'share of tokens with the concept where the latent fires, by their share of all tokens',
    information:
      'mutual information of activation (0 and quarters of the others) and concept, nats: plug-in, corrected by Miller and Madow, and given token and place',
    withinToken:
      'AUROC among pairs of the same token at about the same place, for tokens at which the latent ever fires; p by sign flips over documents, q among the latents tested',
    tied: 'the same of random directions that fire as often and were chosen alike; p is the latent’s rank among them',
    finding:
      'beyond-token: q ≤ α and p among tied directions ≤ α; as-random-directions: only the former; token: not the former; no-comparison: no token occurs with and without the concept',
    correlated:
      'the concept whose tokens go most with the claimed one’s on discovery text: AUROC for each given the other, and which is told: both, unless the intervals lie apart',
  },
  columns: {
    part: 'string',
    document: 'string?',
    token: 'int32?',
    place: 'int32?',
    carries: 'int32?',
    carriesOther: 'int32?',
    activation: 'float32?',
    count: 'int32',
    name: 'string?',
    value: 'float64?',
  },
  async measure({ material }: StudyContext, plan: LatentPlan): Promise<readonly AssociationRow[]> {
    if (plan.concept < 0 || plan.claim.discovery.unit === 0) return []
    const { text, discovery, validation } = material
    const { feature } = plan.claim
    const other = correlatedConcept(text.discoveryLabels, plan.concept)
    const common = { material, feature, concept: plan.concept }
    return [
      ...discoveryRows({ ...common, activations: discovery, labels: text.discoveryLabels }),
      ...validationRows({ ...common, activations: validation, labels: text.validationLabels }, other?.concept),
      ...(other
        ? [{ ...nothing, part: 'correlated' as const, name: text.concepts[other.concept]!, value: other.phi }]
        : []),
      ...tiedRows(material, plan),
    ]
  },
  judge: judgeAssociation,
})

const nothing = {
  document: null,
  token: null,
  place: null,
  carries: null,
  carriesOther: null,
  activation: null,
  count: 1,
  name: null,
  value: null,
}

interface Tokens {
  readonly material: Material
  readonly activations: Activations
  readonly labels: ConceptLabels
  readonly feature: number
  readonly concept: number
}

/** Rows that are alike are one row, with their number. */
class Counted {
  private readonly rows = new Map<string, AssociationRow & { count: number }>()

  add(row: AssociationRow): void {
    const key = Object.values(row).join('\n')
    const known = this.rows.get(key)
    if (known) known.count++
    else this.rows.set(key, { ...row })
  }

  all(): AssociationRow[] {
    return [...this.rows.values()]
  }
}

function discoveryRows({ activations, labels, feature, concept }: Tokens): AssociationRow[] {
  const carries = conceptRows(labels, concept)
  const rows = new Counted()
  labels.windows.forEach((window, w) => {
    const active = activationsIn(activations, feature, w)
    for (let position = firstPosition; position < window.tokens.length; position++) {
      const row = labels.rowStart[w]! + position - firstPosition
      rows.add({ ...nothing, part: 'discovery', carries: carries[row]!, activation: active.get(position) ?? 0 })
    }
  })
  return rows.all()
}

function validationRows(
  { material, activations, labels, feature, concept }: Tokens,
  other: number | undefined,
): AssociationRow[] {
  const carries = conceptRows(labels, concept)
  const carriesOther = other === undefined ? undefined : conceptRows(labels, other)
  const active = labels.windows.map((_, w) => activationsIn(activations, feature, w))
  const firedOn = new Set(active.flatMap((found, w) => [...found.keys()].map(at => labels.windows[w]!.tokens[at]!)))
  const rows = new Counted()
  labels.windows.forEach((window, w) => {
    const document = material.unitOf(window)
    for (let position = firstPosition; position < window.tokens.length; position++) {
      const row = labels.rowStart[w]! + position - firstPosition
      const token = window.tokens[position]!
      const known = firedOn.has(token)
      rows.add({
        ...nothing,
        part: 'validation',
        document,
        token: known ? token : null,
        place: known ? placeOf(position) : null,
        carries: carries[row]!,
        carriesOther: carriesOther ? carriesOther[row]! : null,
        activation: active[w]!.get(position) ?? 0,
      })
    }
  })
  return rows.all()
}

/** Tied controls that the latent is ranked among here: a rank, and no family, rests on them. */
const comparedControls = 99

/** AUROC within token of the latent's tied controls, in the rounds that the main test drew them in. */
function tiedRows(material: Material, { concept, tied }: LatentPlan): AssociationRow[] {
  const { selection, density } = tied
  if (selection?.concept !== concept) return []
  const { text, seed } = material
  const strata = tokenStrata(text.validationLabels, conceptRows(text.validationLabels, concept))
  const aurocs = roundsOf(material.tied.count).flatMap(round => {
    if (round.start >= comparedControls) return []
    const directions = selectedDirections(material.tied, text.discoveryLabels, selection, { density, seed, round })
    const own = directions.subarray(0, (comparedControls - round.start) * material.sae.width)
    const thresholds = thresholdsAt(project(material.tied.discovery, own), density)
    const held = activationsAbove(project(material.tied.validation, own), thresholds, material.tied.value)
    return Array.from({ length: held.latents }, (_, id) => aurocWithinToken(held, id, strata))
  })
  return aurocs.flatMap(value => (value === null ? [] : [{ ...nothing, part: 'tied' as const, value }]))
}
