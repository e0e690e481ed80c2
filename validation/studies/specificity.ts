/**
 * Specificity: the claimed edit, measured on the target of every concept that can be claimed (cause and isolation: RAVEL, Huang et
 * al. 2024, arXiv:2402.17700).
 *
 * Targets overlap: what follows French is rarer after German, so that an edit which moves French and nothing else moves German's
 * target as well. With ŵ_c the unit weights of a concept's target and ρ = ŵ_c · ŵ_own, an edit that changes the logits by d moves
 * the part of ŵ_c that the own target does not hold by (ŵ_c·d − ρ ŵ_own·d) / √(1 − ρ²). That is the off-target effect. Its ratio
 * to ŵ_own·d is the same at every strength of a small edit, and so compares effects at equal effect on the own target.
 */
import { Random } from '../../core/random.ts'
import { mean, standardDeviation } from '../../statistics/descriptive.ts'
import { studentCdf } from '../../statistics/distributions/student.ts'
import { clusterBootstrap } from '../../statistics/intervals/cluster-bootstrap.ts'
import { adjust } from '../../statistics/multiplicity/family.ts'
import { changesOf, mainEdits } from '../claims/edits.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import type { SpecificityFound } from '../contracts/specificity.ts'
import type { Claim, FeatureEvidence } from '../evidence.ts'
import { summarise } from '../judging/analyse.ts'
import { byDocument } from '../judging/values.ts'
import { sourcesOf } from '../measure-plan.ts'
import { rankAmong } from './ranks.ts'
import { ratioOfMeans } from './ratio.ts'
import { latentStudy, type StudySettings } from './study.ts'
import { controlledBank, effectsOf, isTested } from './subject.ts'

type Row = {
  readonly control: string
  readonly controlId: number | null
  readonly document: string
  readonly window: string
  /** Length of the own target’s weights: nats a unit of movement. */
  readonly norm: number
  /** The own target first, then other concepts' targets: names, cosines of their weights with the own ones, unit movements. */
  readonly concepts: readonly string[]
  readonly cosines: readonly number[]
  readonly moved: readonly number[]
}

/** Above this |cosine| another concept's target is the own one under another name. */
const sameTarget = 0.95
/** How evidence calls the own target of a claim without a concept. */
const ownName = 'own'

export const specificity = latentStudy<Row, SpecificityFound>({
  name: 'specificity',
  question: 'Does the edit move the claimed target and leave those of other concepts?',
  byDefault: false,
  definitions: {
    own: 'movement of the own target a unit of its weights, in the claimed direction, under the claim’s primary intervention',
    offTargets:
      'movement of the part of each other concept’s target that the own target does not hold, a unit of its weights; concepts whose weights lie within a cosine of .95 of the own ones are left out',
    equivalenceP:
      'two one-sided t-tests over documents that the off-target effect lies within ± margin × the own effect (offTargetMargin)',
    leakP: 'one-sided t-test that it lies beyond, twice the smaller of both sides, Holm over the concepts',
    offOn:
      'mean over concepts of |mean off-target effect|, by the mean own effect; bootstrap-t over documents. Noise makes it larger, never smaller',
    p: 'rank of offOn among foreign latents with the same edits, smaller ratios of an own effect in the claimed direction being as far',
    cause: 'share of documents in which the own target moves as claimed by more than smallestEffect, in nats',
    isolation:
      'share of documents and other concepts in which the off-target effect is within the margin of the mean own effect',
    isolated:
      'true where the own effect’s interval lies beyond 0 and every concept’s equivalence p ≤ α; false where some leakP ≤ α; null otherwise, and where the own effect may be nothing or does not rank beyond the main test’s tied controls, whose p is at most α for one in 1/α untrained latents',
  },
  columns: {
    control: 'string',
    controlId: 'int32?',
    document: 'string',
    window: 'string',
    norm: 'float64',
    concepts: 'list<string>',
    cosines: 'list<float32>',
    moved: 'list<float32>',
  },

  async measure({ material, pause }, plan) {
    const others = otherTargets(material, plan)
    if (!isTested(material, plan) || others.length === 0) return []
    const { claim, target } = plan
    const { bank, rows: bankRows } = controlledBank(material, plan)
    const written = mainEdits(material.config)[claim.primary]
    const sourceOf = sourcesOf(material, plan, [written], material.validation)
    const weights = unit(target.weights)
    const norm = lengthOf(target.weights)
    const targets = others.map(other => other.weights)
    const names = {
      concepts: [claim.concept ?? ownName, ...others.map(({ concept }) => concept)],
      cosines: [1, ...others.map(({ cosine }) => cosine)],
    }
    const rows: Row[] = []
    try {
      for (const place of plan.documents[claim.primary]) {
        const { document, window } = place
        const strength = claim.primary === 'ablate' ? written.strength : claim.dose
        const { positions, change } = changesOf(written, strength, sourceOf(place), place.window.tokens.length)
        if (positions.length === 0) continue
        const edits = bankRows.map((_, direction) => ({ direction, change }))
        const effects = effectsOf(material, claim.feature, { window, positions, edits, bank, weights, targets })
        effects.forEach((effect, i) => {
          const moved = [effect.target, ...effect.targets!].map(Math.fround)
          rows.push({ ...bankRows[i]!, document, window: window.id, norm, ...names, moved })
        })
        await pause()
      }
    } finally {
      bank.dispose()
    }
    return rows
  },

  judge: (tested, settings) =>
    tested.map(({ claim, rows, evidence }) =>
      rows.length === 0 ? null : findingsOf(claim, rows, beatsTied(evidence, settings.alpha), settings),
    ),
})

const lengthOf = (weights: Float32Array) => Math.sqrt(weights.reduce((sum, x) => sum + x * x, 0))

function unit(weights: Float32Array): Float32Array {
  const norm = lengthOf(weights)
  return weights.map(x => x / norm)
}

/** Targets of the other concepts that can be claimed, as unit weights. */
function otherTargets({ text }: Material, { concept, target }: LatentPlan) {
  const own = unit(target.weights)
  return text.concepts.flatMap((name, place) => {
    if (place === concept || !text.usable[place]) return []
    const weights = unit(text.targetOf(place).weights)
    const cosine = Math.fround(weights.reduce((sum, x, v) => sum + x * own[v]!, 0))
    return Math.abs(cosine) > sameTarget ? [] : [{ concept: name, weights, cosine }]
  })
}

/** By concept one off-target effect a document, and the own effects, all in the claimed direction. */
function seriesOf({ direction }: Claim, rows: readonly Row[]) {
  const sign = direction === 'decrease' ? -1 : 1
  const documents = [...new Set(rows.map(({ document }) => document))]
  const moved = rows[0]!.concepts.map((_, c) => byDocument(rows, documents, row => sign * row.moved[c]!))
  const [own, ...others] = moved
  const off = others.map((values, i) => {
    const cosine = rows[0]!.cosines[i + 1]!
    return values.map((value, d) => (value - cosine * own![d]!) / Math.sqrt(1 - cosine * cosine))
  })
  return { own: own!, moved, off }
}

const offOnOf = (own: readonly number[], off: readonly (readonly number[])[]) =>
  mean(off.map(values => Math.abs(mean(values)))) / mean(own)

/** The ratio with a bootstrap-t interval over documents; bounds null where they give none that are honest. */
function offOnInterval(
  own: readonly number[],
  off: readonly (readonly number[])[],
  { bootstrap: draws, alpha }: StudySettings,
  key: readonly (string | number)[],
): SpecificityFound['offOn'] {
  const at = (values: readonly number[], sample: Uint32Array) => Array.from(sample, d => values[d]!)
  const { estimate, low, high } = clusterBootstrap(
    own.length,
    sample => {
      const ratio = offOnOf(
        at(own, sample),
        off.map(values => at(values, sample)),
      )
      return Number.isFinite(ratio) ? ratio : null
    },
    { method: 'bootstrap-t', random: new Random(...key, 'off/on'), draws, level: 1 - alpha },
  )
  // The ratio is of sizes, so that it is never below 0.
  if (estimate === null) return null
  return low === null || high === null
    ? { ratio: estimate, low: null, high: null }
    : { ratio: estimate, low: Math.max(0, low), high }
}

/** One-sided t-tests of off-target effects against ± margin × own ones: that they lie within, and that they lie beyond. */
function boundsTest(off: readonly number[], own: readonly number[], margin: number) {
  const below = oneSided(off.map((value, d) => value - margin * own[d]!))
  const above = oneSided(off.map((value, d) => 0 - value - margin * own[d]!))
  return { within: Math.max(below, above), beyond: Math.min(1, 2 * Math.min(1 - below, 1 - above)) }
}

/** p of a mean at or above 0 being below it: Student's, one-sided. */
function oneSided(values: readonly number[]): number {
  if (values.length < 2) return 0.5
  const error = standardDeviation(values) / Math.sqrt(values.length)
  const centre = mean(values)
  if (error === 0) return centre < 0 ? 0 : centre > 0 ? 1 : 0.5
  return studentCdf(centre / error, values.length - 1)
}

/** Whether the main test ranks the effect beyond those of random directions that fire as often, each on tokens of its own. */
function beatsTied(evidence: FeatureEvidence, alpha: number): boolean {
  const { controls = [] } = evidence[evidence.claim.primary]?.metrics.target ?? {}
  return (controls.find(({ control }) => control === 'tied')?.p ?? 1) <= alpha
}

function findingsOf(claim: Claim, rows: readonly Row[], isCause: boolean, settings: StudySettings): SpecificityFound {
  const { alpha, seed, offTargetMargin: margin } = settings
  const key = [seed, 'specificity', claim.feature]
  const latent = rows.filter(({ control }) => control === 'feature')
  const { concepts, cosines } = latent[0]!
  const { own, moved, off } = seriesOf(claim, latent)
  const summary = summarise(own, settings, ...key)
  const tests = off.map(values => boundsTest(values, own, margin))
  const leakP = adjust(
    'leaks over other concepts',
    tests.map(({ beyond }) => beyond),
    'holm',
  ).adjusted
  const means = moved.map(values => mean(values))
  const level = mean(own)
  const within = off.flatMap(values => values.map((value): number => (Math.abs(value) <= margin * level ? 1 : 0)))
  // What an untrained SAE's latents do as well is specific to nothing.
  const isThere = isCause && summary.low !== null && summary.low > 0
  const leaks = concepts.slice(1).filter((_, i) => isThere && leakP[i]! <= alpha)
  const { norm } = latent[0]!
  const cause = mean(own.map((value): number => (value * norm > settings.smallestEffect ? 1 : 0)))
  const isolation = mean(within)
  // Foreign latents that move the own target the other way have no ratio, and are as far as none.
  const reach = (each: readonly Row[]) => {
    const control = seriesOf(claim, each)
    const ratio = offOnOf(control.own, control.off)
    return ratio > 0 && Number.isFinite(ratio) ? -ratio : -Number.MAX_VALUE
  }
  return {
    intervention: claim.primary,
    own: summary,
    rank: 1 + means.filter((value, c) => c > 0 && value > level).length,
    among: means.length,
    offTargets: off.map((values, i) => ({
      concept: concepts[i + 1]!,
      cosine: cosines[i + 1]!,
      effect: summarise(values, settings, ...key, concepts[i + 1]!),
      ratio: ratioOfMeans(values, own, 1 - alpha),
      equivalenceP: tests[i]!.within,
      leakP: leakP[i]!,
    })),
    offOn: isThere ? offOnInterval(own, off, settings, key) : null,
    p: rankAmong(reach(latent), rows, ['foreign'], alpha, reach),
    cause,
    isolation,
    score: (cause + isolation) / 2,
    isolated: !isThere ? null : leaks.length > 0 ? false : tests.every(({ within }) => within <= alpha) ? true : null,
    leaks,
  }
}
