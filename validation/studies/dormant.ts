/**
 * Dormant pathway: a direction may have its effect by a part along which text never moves, while the latent fires on another part
 * that nothing reads (the illusion of subspace patching: Makelov et al. 2023, arXiv:2311.17030). So the part of the direction along
 * which text moves and the rest are ablated and steered with apart.
 */
import type { LatentPlan, Material } from '../claims/plan.ts'
import type { DormantFound } from '../contracts/dormant.ts'
import type { Claim } from '../evidence.ts'
import { positionsIn } from '../interventions/positions.ts'
import { type AnalysisSettings, directionOf as sideOf, summarise } from '../judging/analyse.ts'
import { byDocument } from '../judging/values.ts'
import type { ClaimDocument, Intervention } from '../rows.ts'
import { pathwayOf } from './pathway.ts'
import { ratioOfMeans } from './ratio.ts'
import { latentStudy } from './study.ts'
import { bankOf, directionOf, effectsOf, isTested } from './subject.ts'

const parts = ['whole', 'active', 'dormant'] as const
type Part = (typeof parts)[number]

type Row = {
  readonly intervention: string
  readonly part: string
  /** The part's length in lengths of the direction, and what the split was made of; the same in every row. */
  readonly length: number
  readonly tokens: number
  readonly moved: number
  readonly document: string
  readonly window: string
  readonly positions: number
  readonly target: number
}

/** From this share of the effect on the dormant part's is the main one. */
const halfOfEffect = 0.5

export const dormant = latentStudy<Row, DormantFound>({
  name: 'dormant',
  question: 'Is the effect that of the part of the direction along which text moves?',
  byDefault: false,
  definitions: {
    lengths:
      'of Σ(Σ + λI)⁻¹d and λ(Σ + λI)⁻¹d by that of d: Σ the covariance of values on discovery text, λ a tenth of the latent’s mean square activation there × ‖d‖²',
    moved:
      'E[f · (x − x̄)·d] / (E[f²] · ‖d‖²) over discovery tokens where the latent is active: 1 where text moves along d as far as the latent says, less where a part of d does not move. Other latents that fire with it add to it',
    parts:
      'effect of ablating, and of adding dose × p99, with the whole direction and with each part of it alone, in the claimed direction',
    share: 'mean effect of the dormant part by that of the whole direction, with Fieller’s interval over documents',
    dormant:
      'whether the share of the primary intervention lies above ½ (true) or below (false) with its interval; null otherwise',
  },
  columns: {
    intervention: 'string',
    part: 'string',
    length: 'float64',
    tokens: 'int32',
    moved: 'float64',
    document: 'string',
    window: 'string',
    positions: 'int32',
    target: 'float64',
  },

  async measure({ material, pause }, plan) {
    const direction = directionOf(material, plan.claim.feature)
    const pathway = isTested(material, plan) ? pathwayOf(material, plan.claim.feature, direction) : undefined
    if (!pathway) return []
    const { tokens, moved } = pathway
    const bank = bankOf([direction, pathway.active, pathway.dormant])
    const whole = Math.hypot(...direction)
    const lengths = [1, Math.hypot(...pathway.active) / whole, Math.hypot(...pathway.dormant) / whole]
    const rows: Row[] = []
    try {
      for (const intervention of ['ablate', 'steer'] as const)
        for (const document of plan.documents[intervention]) {
          const measured = measureDocument(material, plan, intervention, document, bank)
          rows.push(...measured.map((row, i) => ({ ...row, length: lengths[i]!, tokens, moved })))
          await pause()
        }
    } finally {
      bank.dispose()
    }
    return rows
  },

  judge: (tested, settings) =>
    tested.map(({ claim, rows }) => (rows.length === 0 ? null : findingsOf(claim, rows, settings, settings.seed))),
})

function measureDocument(
  material: Material,
  { claim, target }: LatentPlan,
  intervention: Intervention,
  { document, window, activations }: ClaimDocument,
  bank: Parameters<typeof effectsOf>[2]['bank'],
): Omit<Row, 'length' | 'tokens' | 'moved'>[] {
  const positions = positionsIn(intervention === 'ablate' ? 'active' : 'all', window.tokens.length, activations.keys())
  const added = claim.dose * claim.discovery.unit
  const change = Float32Array.from(positions, position =>
    intervention === 'ablate' ? 0 - (activations.get(position) ?? 0) : added,
  )
  const edits = parts.map((_, direction) => ({ direction, change }))
  const effects = effectsOf(material, claim.feature, { window, positions, edits, bank, weights: target.weights })
  return effects.map((effect, i) => {
    const place = { document, window: window.id, positions: positions.length }
    return { intervention, part: parts[i]!, ...place, target: effect.target }
  })
}

function findingsOf(claim: Claim, rows: readonly Row[], settings: AnalysisSettings, seed: number): DormantFound {
  const first = rows[0]!
  const lengthOf = (part: Part) => rows.find(row => row.part === part)!.length
  const [ablate, steer] = [
    partsOf(claim, rows, 'ablate', settings, seed),
    partsOf(claim, rows, 'steer', settings, seed),
  ]
  const share = (claim.primary === 'ablate' ? ablate : steer)?.share ?? null
  return {
    tokens: first.tokens,
    lengths: { active: lengthOf('active'), dormant: lengthOf('dormant') },
    moved: first.moved,
    ablate,
    steer,
    dormant: share === null ? null : share.low > halfOfEffect ? true : share.high < halfOfEffect ? false : null,
  }
}

function partsOf(
  claim: Claim,
  rows: readonly Row[],
  intervention: Intervention,
  settings: AnalysisSettings,
  seed: number,
): DormantFound['ablate'] {
  const own = rows.filter(row => row.intervention === intervention)
  if (own.length === 0) return null
  const documents = [...new Set(own.map(({ document }) => document))]
  const sign = sideOf(intervention, claim.dose) === 'decrease' ? -1 : 1
  const [whole, active, asleep] = parts.map(part =>
    byDocument(
      own.filter(row => row.part === part),
      documents,
      ({ target }) => sign * target,
    ),
  )
  const summary = (values: readonly number[], part: Part) =>
    summarise(values, settings, seed, 'dormant', claim.feature, intervention, part)
  return {
    whole: summary(whole!, 'whole'),
    active: summary(active!, 'active'),
    dormant: summary(asleep!, 'dormant'),
    share: ratioOfMeans(asleep!, whole!, 1 - settings.alpha),
  }
}
