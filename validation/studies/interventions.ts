/** The claim's effect under each kind of intervention, beside each other: does it hang on how the latent is edited? */

import { mean } from '../../statistics/descriptive.ts'
import { changesOf } from '../claims/edits.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import type { InterventionsFound } from '../contracts/interventions.ts'
import type { Claim } from '../evidence.ts'
import { type Written, writtenIntervention } from '../interventions/written.ts'
import { type AnalysisSettings, finite, summarise } from '../judging/analyse.ts'
import { byDocument } from '../judging/values.ts'
import type { MeasureRequest } from '../measure-latent.ts'
import { sourcesOf } from '../measure-plan.ts'
import type { ClaimDocument } from '../rows.ts'
import { ratioOfMeans } from './ratio.ts'
import { latentStudy } from './study.ts'
import { bankOf, directionOf, effectsOf, isTested } from './subject.ts'

type Row = {
  readonly intervention: string
  readonly document: string
  readonly window: string
  readonly positions: number
  readonly norm: number
  readonly target: number
  readonly kl: number
}

export const interventions = latentStudy<Row, InterventionsFound>({
  name: 'interventions',
  question: 'Does the effect hang on how the latent is taken away or put in?',
  byDefault: true,
  definitions: {
    kinds:
      'the target’s effect under each intervention of the settings: those that take away in documents where the latent is active, those that put in where it is silent',
    share: 'mean effect by that of the first intervention listed that takes as this one does, bootstrap over documents',
    agree:
      'whether each edit that claims a side has its interval on it. A random direction that is read at all agrees, too: this tells an artefact of one kind of edit, and is no evidence that the latent is more than a direction',
  },
  columns: {
    intervention: 'string',
    document: 'string',
    window: 'string',
    positions: 'int32',
    norm: 'float64',
    target: 'float64',
    kl: 'float64',
  },

  async measure({ inputs, material, pause }, plan) {
    if (!isTested(material, plan)) return []
    const asked = inputs.config.interventions.map(writtenIntervention)
    const bank = bankOf([directionOf(material, plan.claim.feature)])
    const rows: Row[] = []
    try {
      for (const [takes, documents] of [
        ['away', plan.documents.ablate],
        ['in', plan.documents.steer],
      ] as const) {
        const edits = asked.filter(({ kind }) => kind.takes === takes)
        if (edits.length === 0) continue
        const sourceOf = sourcesOf(material, plan, edits, material.validation)
        for (const document of documents) {
          rows.push(...measureDocument(material, plan, document, edits, sourceOf, bank))
          await pause()
        }
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
  { claim: { feature }, target }: LatentPlan,
  place: ClaimDocument,
  asked: readonly Written[],
  sourceOf: MeasureRequest['sourceOf'],
  bank: Parameters<typeof effectsOf>[2]['bank'],
): Row[] {
  const { document, window } = place
  const source = sourceOf(place)
  const edits = asked.flatMap(written => {
    const { positions, change } = changesOf(written, written.strength, source, window.tokens.length)
    return positions.length === 0 ? [] : [{ text: written.text, edit: { direction: 0, positions, change } }]
  })
  if (edits.length === 0) return []
  const effects = effectsOf(material, feature, {
    window,
    positions: edits[0]!.edit.positions,
    edits: edits.map(({ edit }) => edit),
    bank,
    weights: target.weights,
  })
  return effects.map(({ norm, target: moved, kl }, i) => {
    const { text, edit } = edits[i]!
    const positions = edit.positions.length
    return { intervention: text, document, window: window.id, positions, norm, target: moved, kl }
  })
}

/** The side to which an edit should move the target: −1, 1, or 0 where it claims none. */
function sideOf({ kind, strength }: Written): number {
  if (kind.takes === 'in') return Math.sign(strength)
  return kind.name === 'scale' ? Math.sign(strength - 1) : -1
}

function findingsOf(
  { feature }: Claim,
  rows: readonly Row[],
  settings: AnalysisSettings,
  seed: number,
): InterventionsFound {
  const values = new Map<string, { documents: string[]; target: number[] }>()
  for (const intervention of new Set(rows.map(row => row.intervention))) {
    const own = rows.filter(row => row.intervention === intervention)
    const documents = [...new Set(own.map(({ document }) => document))]
    values.set(intervention, { documents, target: byDocument(own, documents, ({ target }) => target) })
  }
  const first = new Map<string, string>()
  for (const text of values.keys()) {
    const { takes } = writtenIntervention(text).kind
    if (!first.has(takes)) first.set(takes, text)
  }
  const kinds = [...values].map(([intervention, { documents, target }]) => {
    const own = rows.filter(row => row.intervention === intervention)
    const written = writtenIntervention(intervention)
    const key = [seed, 'interventions', feature, intervention]
    const summary = summarise(target, settings, ...key)
    const side = sideOf(written)
    const near = side < 0 ? summary.high : summary.low
    const reference = values.get(first.get(written.kind.takes)!)!
    const shared = documents.filter(document => reference.documents.includes(document))
    const at = (from: typeof reference) => shared.map(document => from.target[from.documents.indexOf(document)]!)
    return {
      intervention,
      takes: written.kind.takes,
      norm: finite(mean(byDocument(own, documents, ({ norm }) => norm))),
      target: summary,
      kl: summarise(
        byDocument(own, documents, ({ kl }) => kl),
        settings,
        ...key,
        'kl',
      ),
      share: ratioOfMeans(at({ documents, target }), at(reference), 1 - settings.alpha),
      asClaimed: side === 0 || near === null ? null : side * near > 0,
    }
  })
  const claimed = kinds.flatMap(({ asClaimed }) => (asClaimed === null ? [] : [asClaimed]))
  return { kinds, agree: claimed.length === 0 ? null : claimed.every(Boolean) }
}
