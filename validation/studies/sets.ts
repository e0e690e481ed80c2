/**
 * Joint sets: a latent that others stand in for is causal and not necessary (2605.22462), and may be one of several that carry a
 * concept together (2605.03160). So the latents that could do the same are taken away in every combination.
 *
 * With E(T) the fall of the target when the latents of T are set to 0 where they are active: E({i}) is what latent i is needed for
 * alone, E(S) − E(S∖{i}) what it is needed for once the others are gone, E({i, j}) − E({i}) − E({j}) what a pair does beyond its two.
 */
import { activationsIn } from '../../latents/activations.ts'
import type { Edit, EditTerm } from '../../latents/interventions.ts'
import { mean } from '../../statistics/descriptive.ts'
import type { LatentPlan } from '../claims/plan.ts'
import type { SetsFound } from '../contracts/sets.ts'
import { type AnalysisSettings, summarise } from '../judging/analyse.ts'
import { byDocument } from '../judging/values.ts'
import type { ClaimDocument } from '../rows.ts'
import { type Member, membersOf } from './members.ts'
import { rankAmong } from './ranks.ts'
import { ratioOfMeans } from './ratio.ts'
import { latentStudy, type StudyContext } from './study.ts'
import { bankOf, directionOf, effectsOf, fewestControls, isTested } from './subject.ts'
import { type TiedSet, tiedSets } from './tied.ts'

type Row = {
  /** The whole set, the claimed latent first, and why each is of it. */
  readonly latents: readonly number[]
  readonly because: readonly string[]
  /** Those that are taken away; of a control all, along other directions of equal norm. */
  readonly removed: readonly number[]
  readonly control: string
  readonly controlId: number | null
  readonly document: string
  readonly window: string
  readonly positions: number
  readonly target: number
}

/** The share of the joint effect that a sufficient set keeps. */
const sufficientShare = 0.9

export const sets = latentStudy<Row, SetsFound>({
  name: 'sets',
  question: 'What are the latents that say the same needed for together, and which of them suffice?',
  byDefault: false,
  definitions: {
    latents:
      'the claimed latent and those that tell its concept (AUROC .7 on discovery text) or, where they are too few, fire at the same tokens or point the same way; setSize in all',
    alone: 'fall of the target when the latent is set to 0 where it is active, at positions where any of the set is',
    given: 'what the fall with all of the set taken away exceeds that with all but this one by',
    joint:
      'fall of the target with all taken away; p the largest of its ranks among as many sets of random and of foreign directions with the same edits, and of tied directions that fire on tokens of their own, each with its own target',
    interactions: 'fall with both taken away less the sum of the falls with one',
    sufficient:
      'latents added one by one, that which keeps most first, until all others can be taken away at the loss of a tenth of the joint effect; chosen on every other document, `kept` is the share kept in the rest',
  },
  columns: {
    latents: 'list<int32>',
    because: 'list<string>',
    removed: 'list<int32>',
    control: 'string',
    controlId: 'int32?',
    document: 'string',
    window: 'string',
    positions: 'int32',
    target: 'float64',
  },

  async measure(bench, plan) {
    const { material, inputs, pause } = bench
    if (!isTested(material, plan)) return []
    const members = membersOf(material, plan, inputs.config.setSize)
    if (members.length < 2) return []
    const { bank, controls } = bankFor(bench, plan, members)
    const rows: Row[] = []
    try {
      for (const document of plan.documents.ablate) {
        rows.push(...measureDocument(bench, plan, members, document, bank, controls))
        await pause()
      }
    } finally {
      bank.dispose()
    }
    for (const set of tiedSets(material, plan, members.length)) {
      rows.push(...measureTied(bench, plan, members, set))
      await pause()
    }
    return rows
  },

  judge: (tested, settings) =>
    tested.map(({ claim, rows }) =>
      rows.length === 0 ? null : findingsOf(rows, settings, [settings.seed, 'sets', claim.feature]),
    ),
})

/** A set of other directions: of each member, its row of the bank. */
interface ControlSet {
  readonly control: 'random' | 'foreign'
  readonly controlId: number
  readonly rows: readonly number[]
}

/** The members' directions, then for each control set one of equal norm for each member. */
function bankFor({ material }: StudyContext, { controls }: LatentPlan, members: readonly Member[]) {
  const own = members.map(({ latent }) => directionOf(material, latent))
  const directions = [...own]
  const sets: ControlSet[] = []
  for (const control of ['random', 'foreign'] as const) {
    const drawn = controls[control]
    const count = drawn?.ids.length ?? 0
    const wanted = fewestControls(material.config.alpha)
    if (!drawn || count < Math.max(wanted, members.length)) continue
    const step = Math.floor(count / members.length)
    for (let k = 0; k < wanted; k++) {
      const rows = own.map((row, i) => {
        const [place, norm] = [(k + i * step) % count, Math.hypot(...row)]
        const unit = drawn.directions.slice(place * row.length, (place + 1) * row.length)
        return directions.push(unit.map(x => x * norm)) - 1
      })
      sets.push({ control, controlId: k, rows })
    }
  }
  return { bank: bankOf(directions), controls: sets }
}

function measureDocument(
  { material, inputs: { config } }: StudyContext,
  { claim: { feature }, target }: LatentPlan,
  members: readonly Member[],
  { document, window }: ClaimDocument,
  bank: ReturnType<typeof bankFor>['bank'],
  controls: readonly ControlSet[],
): Row[] {
  const { validation } = material
  const place = validation.windows.findIndex(({ id }) => id === window.id)
  const active = members.map(({ latent }) => activationsIn(validation, latent, place))
  const { positions, change } = removalOf(active, Math.min(window.tokens.length, config.positions))
  const editOf = (places: readonly number[], rows: readonly number[]): Edit => {
    const [first, ...also] = places.map((i): EditTerm => ({ direction: rows[i]!, change: change[i]! }))
    return also.length > 0 ? { ...first!, also } : first!
  }
  const all = members.map((_, i) => i)
  const subsets = Array.from({ length: 2 ** members.length - 1 }, (_, mask) => all.filter(i => ((mask + 1) >> i) & 1))
  const labels = [
    ...subsets.map(places => ({ places, rows: all, control: 'feature', controlId: null })),
    ...controls.map(({ control, controlId, rows }) => ({ places: all, rows, control, controlId })),
  ]
  const edits = labels.map(({ places, rows }) => editOf(places, rows))
  const effects = effectsOf(material, feature, { window, positions, edits, bank, weights: target.weights })
  const [latents, because] = [members.map(({ latent }) => latent), members.map(member => member.because)]
  return effects.map(({ target: moved }, i) => {
    const { places, control, controlId } = labels[i]!
    const removed = places.map(at => latents[at]!)
    return {
      latents,
      because,
      removed,
      control,
      controlId,
      document,
      window: window.id,
      positions: positions.length,
      target: moved,
    }
  })
}

/** Where any of these is active, and the change that takes each away there; the last position predicts nothing that is measured. */
function removalOf(active: readonly ReadonlyMap<number, number>[], length: number) {
  const positions = [...new Set(active.flatMap(found => [...found.keys()]))]
    .filter(position => position < length - 1)
    .sort((a, b) => a - b)
  const change = active.map(found => Float32Array.from(positions, position => 0 - (found.get(position) ?? 0)))
  return { positions, change }
}

/** A set of tied directions, all taken away, in the documents and on the target of its first. */
function measureTied(
  { material, inputs: { config } }: StudyContext,
  { claim: { feature } }: LatentPlan,
  members: readonly Member[],
  { subject, directions, activationsIn: activeIn }: TiedSet,
): Row[] {
  const bank = bankOf(directions)
  const [latents, because] = [members.map(({ latent }) => latent), members.map(member => member.because)]
  try {
    return subject.active.flatMap(({ document, window }): Row[] => {
      const { positions, change } = removalOf(activeIn(window), Math.min(window.tokens.length, config.positions))
      if (positions.length === 0) return []
      const [first, ...also] = change.map((values, direction): EditTerm => ({ direction, change: values }))
      const edits = [{ ...first!, also }]
      const { weights } = subject.target
      const [effect] = effectsOf(material, feature, { window, positions, edits, bank, weights })
      const own = { control: 'tied', controlId: subject.id, document, window: window.id, positions: positions.length }
      return [{ latents, because, removed: latents, ...own, target: effect!.target }]
    })
  } finally {
    bank.dispose()
  }
}

function findingsOf(rows: readonly Row[], settings: AnalysisSettings, seed: readonly (string | number)[]): SetsFound {
  const { latents, because } = rows[0]!
  const documentsOf = (of: readonly Row[]) => [...new Set(of.map(({ document }) => document))]
  const documents = documentsOf(rows.filter(({ control }) => control === 'feature'))
  const fallIn = (of: readonly Row[], places: readonly string[]) => byDocument(of, places, ({ target }) => 0 - target)
  const fall = (of: readonly Row[]) => fallIn(of, documents)
  const key = (removed: readonly number[]) => [...removed].sort((a, b) => a - b).join()
  const subsets = new Map<string, Row[]>()
  for (const row of rows)
    if (row.control === 'feature') subsets.set(key(row.removed), [...(subsets.get(key(row.removed)) ?? []), row])
  const falls = new Map([...subsets].map(([removed, own]) => [removed, fall(own)]))
  falls.set(
    '',
    documents.map(() => 0),
  )
  const E = (removed: readonly number[]) => falls.get(key(removed))!
  const without = (...left: readonly number[]) => latents.filter(latent => !left.includes(latent))
  const less = (a: readonly number[], b: readonly number[]) => a.map((value, d) => value - b[d]!)
  const joint = E(latents)
  const summary = (values: readonly number[], ...name: readonly (string | number)[]) =>
    summarise(values, settings, ...seed, ...name)
  return {
    latents: latents.map((latent, i) => ({
      latent,
      because: because[i] as Member['because'],
      alone: summary(E([latent]), 'alone', latent),
      given: summary(less(joint, E(without(latent))), 'given', latent),
    })),
    joint: {
      effect: summary(joint, 'joint'),
      // Tied sets have documents of their own.
      p: rankAmong(mean(joint), rows, ['random', 'foreign', 'tied'], settings.alpha, own =>
        mean(fallIn(own, documentsOf(own))),
      ),
    },
    interactions: latents.flatMap((a, i) =>
      latents.slice(i + 1).map(b => ({
        latents: [a, b] as [number, number],
        effect: summary(less(less(E([a, b]), E([a])), E([b])), 'pair', a, b),
      })),
    ),
    sufficient: sufficientOf(latents, E, settings),
  }
}

/** Greedy: chosen on every other document, held to the rest. */
function sufficientOf(
  latents: readonly number[],
  E: (removed: readonly number[]) => readonly number[],
  settings: AnalysisSettings,
): SetsFound['sufficient'] {
  const half = (values: readonly number[], rest: 0 | 1) => values.filter((_, d) => d % 2 === rest)
  const whole = half(E(latents), 0)
  if (!(whole.length > 0 && mean(whole) > 0)) return null
  const chosen: number[] = []
  const lostWithout = (kept: readonly number[]) =>
    mean(half(E(latents.filter(latent => !kept.includes(latent))), 0)) / mean(whole)
  while (chosen.length < latents.length && lostWithout(chosen) > 1 - sufficientShare) {
    const left = latents.filter(latent => !chosen.includes(latent))
    chosen.push(left.reduce((a, b) => (lostWithout([...chosen, b]) < lostWithout([...chosen, a]) ? b : a)))
  }
  const joint = half(E(latents), 1)
  const lost = half(E(latents.filter(latent => !chosen.includes(latent))), 1)
  const kept = joint.map((value, d) => value - lost[d]!)
  return {
    latents: chosen,
    documents: joint.length,
    kept: ratioOfMeans(kept, joint, 1 - settings.alpha),
  }
}
