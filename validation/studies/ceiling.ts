/** Study: how much of what a direction could do, had it been told the concept, does the latent's direction do? */
import { activationsIn, activeWindows, firstPosition } from '../../latents/activations.ts'
import { conceptRows } from '../claims/concepts.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import type { CeilingFound } from '../contracts/ceiling.ts'
import type { Claim } from '../evidence.ts'
import { directionOf as sideOf, summarise } from '../judging/analyse.ts'
import type { AssembleSettings } from '../judging/assemble.ts'
import { byDocument } from '../judging/values.ts'
import type { ClaimDocument, Intervention } from '../rows.ts'
import { type Labelled, supervised } from '../supervised/index.ts'
import { promptEffect, promptsFor } from './prompt.ts'
import { ratioOfMeans } from './ratio.ts'
import { latentStudy } from './study.ts'
import { bankOf, directionOf, effectsOf, isTested } from './subject.ts'

type Row = {
  readonly intervention: string
  readonly method: string
  readonly cosine: number | null
  readonly document: string
  readonly window: string
  readonly norm: number
  readonly target: number
  readonly kl: number | null
}

/** The latent itself, among the methods. */
const itself = 'latent'

export const ceiling = latentStudy<Row, CeilingFound>({
  name: 'ceiling',
  question: 'How much of what a direction told the concept does, does the latent do?',
  byDefault: false,
  definitions: {
    methods:
      'directions fitted on discovery text to tokens with the concept, or where the latent fires, under the latent’s own edits: same documents, same positions, equal ‖Δx‖ at each; a prompt has no such norm and stands beside steering',
    ceiling:
      'the direction that moves the target farthest as claimed on these documents, which favours it over the latent',
    share: 'the latent’s mean effect by that of the ceiling on the same documents, with Fieller’s interval',
  },
  columns: {
    intervention: 'string',
    method: 'string',
    cosine: 'float64?',
    document: 'string',
    window: 'string',
    norm: 'float64',
    target: 'float64',
    kl: 'float64?',
  },

  async measure({ material, pause }, plan) {
    if (!isTested(material, plan)) return []
    const labelled = labelledFor(material, plan)
    const own = directionOf(material, plan.claim.feature)
    const norm = Math.hypot(...own)
    const methods: { method: string; cosine: number; direction: Float32Array }[] = [
      { method: itself, cosine: 1, direction: own },
    ]
    for (const { name, learn } of supervised) {
      await pause()
      const found = learn(labelled)
      const length = found ? Math.hypot(...found) : 0
      if (!found || !(length > 0)) continue
      const cosine = found.reduce((sum, x, j) => sum + x * own[j]!, 0) / (length * norm)
      methods.push({ method: name, cosine, direction: found.map(x => (x / length) * norm) })
    }
    const bank = bankOf(methods.map(({ direction }) => direction))
    const rows: Row[] = []
    try {
      for (const intervention of ['ablate', 'steer'] as const)
        for (const place of plan.documents[intervention]) {
          const edits = editsOf(plan.claim, place, intervention, methods.length)
          const { document, window } = place
          const effects = effectsOf(material, plan.claim.feature, {
            window,
            positions: edits[0]!.positions,
            edits,
            bank,
            weights: plan.target.weights,
          })
          effects.forEach(({ norm, target, kl }, i) => {
            const { method, cosine } = methods[i]!
            rows.push({ intervention, method, cosine, document, window: window.id, norm, target, kl })
          })
          if (intervention === 'steer') rows.push(...prompted(labelled, plan, place))
          await pause()
        }
    } finally {
      bank.dispose()
    }
    return rows
  },

  judge: (tested, settings) =>
    tested.map(({ claim, rows }) => (rows.length === 0 ? null : findingsOf(claim, rows, settings))),
})

/** Discovery text with the labels of the claim: its concept's, or where the latent fires. */
function labelledFor(material: Material, { claim, concept, target }: LatentPlan): Labelled {
  const values = material.tied.discovery
  if (concept >= 0) return { material, target, values, labels: conceptRows(material.text.discoveryLabels, concept) }
  const labels = new Uint8Array(values.tokens)
  const active = new Set(activeWindows(material.discovery, claim.feature))
  let row = 0
  values.windows.forEach((window, w) => {
    if (active.has(w))
      for (const position of activationsIn(material.discovery, claim.feature, w).keys())
        labels[row + position - firstPosition] = 1
    row += Math.max(0, window.tokens.length - firstPosition)
  })
  return { material, target, values, labels }
}

/** The latent's own edit along each of `count` directions of its length. */
function editsOf(
  { discovery, dose }: Claim,
  { window, activations }: ClaimDocument,
  intervention: Intervention,
  count: number,
) {
  const positions =
    intervention === 'ablate'
      ? [...activations.keys()]
      : Array.from({ length: window.tokens.length - firstPosition }, (_, i) => i + firstPosition)
  const value = intervention === 'ablate' ? 0 : dose * discovery.unit
  const change = Float32Array.from(positions, position => value - (activations.get(position) ?? 0))
  return Array.from({ length: count }, (_, direction) => ({ direction, positions, change }))
}

function prompted(labelled: Labelled, { claim, target }: LatentPlan, { document, window }: ClaimDocument): Row[] {
  const prompts = promptsFor(labelled, claim.feature, window)
  const effect = prompts && promptEffect(labelled.material, window, prompts, target.weights)
  if (effect === undefined) return []
  const nothing = { cosine: null, norm: 0, kl: null }
  return [{ intervention: 'steer', method: 'prompt', document, window: window.id, target: effect, ...nothing }]
}

function findingsOf(claim: Claim, rows: readonly Row[], settings: AssembleSettings): CeilingFound {
  const methods = (['ablate', 'steer'] as const).flatMap(intervention => {
    const here = rows.filter(row => row.intervention === intervention)
    const valuesOf = (method: string) => {
      const own = here.filter(row => row.method === method)
      const documents = [...new Set(own.map(({ document }) => document))]
      return { own, documents, target: byDocument(own, documents, ({ target }) => target) }
    }
    const latent = valuesOf(itself)
    return [...new Set(here.map(({ method }) => method))].map(method => {
      const { own, documents, target } = valuesOf(method)
      const key = [settings.seed, 'ceiling', claim.feature, intervention, method]
      const ours = documents.map(document => latent.target[latent.documents.indexOf(document)]!)
      return {
        intervention,
        method,
        cosine: own[0]!.cosine,
        target: summarise(target, settings, ...key),
        share: method === itself ? null : ratioOfMeans(ours, target, 1 - settings.alpha),
      }
    })
  })
  const { primary } = claim
  const sign = sideOf(primary, claim.dose) === 'decrease' ? -1 : 1
  const reach = ({ target }: (typeof methods)[number]) => sign * (target.mean ?? 0)
  const directions = methods.filter(
    one => one.intervention === primary && one.method !== itself && one.cosine !== null && reach(one) > 0,
  )
  const best = directions.sort((a, b) => reach(b) - reach(a))[0]
  return { intervention: primary, ceiling: best?.method ?? null, share: best?.share ?? null, methods }
}
