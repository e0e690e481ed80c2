/**
 * Dose–response: the latent's direction is added at strengths of both signs where it is silent, document by document.
 *
 * Near dose 0 the effect is linear in the dose and KL quadratic (dosimetry of directions), so that the slope can be held to the
 * gradient's prediction, and the effect of any edit at a stated KL follows from what it does at one dose: M · √(cap / KL).
 */
import { Random } from '../../core/random.ts'
import { onHost } from '../../engine/host.ts'
import { type Scalar, type Tensor3D, tf } from '../../engine/tf.ts'
import { adding } from '../../latents/interventions.ts'
import { isotonic } from '../../statistics/curves/isotonic.ts'
import { fitLogistic } from '../../statistics/curves/logistic.ts'
import { mean } from '../../statistics/descriptive.ts'
import { pageTrend } from '../../statistics/tests/page.ts'
import { rankP } from '../../statistics/tests/permutation.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import type { DosesFound } from '../contracts/doses.ts'
import type { Claim } from '../evidence.ts'
import { positionsIn } from '../interventions/positions.ts'
import { summarise } from '../judging/analyse.ts'
import { byDocument, groupRows } from '../judging/values.ts'
import { type ClaimDocument, type EffectRow, fewestDocuments } from '../rows.ts'
import { ratioOfMeans } from './ratio.ts'
import { latentStudy, type StudySettings } from './study.ts'
import { bankOf, directionOf, effectsOf, isTested } from './subject.ts'
import { type TiedSubject, tiedSubjects } from './tied.ts'
import { type Curve, windowOf } from './window.ts'

type Row = {
  /** The latent, or one of its tied controls at the claim's dose. */
  readonly control: string
  readonly controlId: number | null
  readonly dose: number
  readonly document: string
  readonly window: string
  readonly positions: number
  readonly norm: number
  readonly target: number
  readonly kl: number
  /** The gradient's prediction of the target's rise a unit of dose, the same at every dose; null of controls. */
  readonly slope: number | null
}

export const doses = latentStudy<Row, DosesFound>({
  name: 'doses',
  question: 'Does more of the latent do more, as the gradient says, and how far before it does harm?',
  byDefault: false,
  definitions: {
    points:
      'effects of adding dose × p99 of the latent’s direction at every position after the first, in documents where it is silent (strengths)',
    trend:
      'Page’s L over doses within documents, one-sided for a rise. Any direction that is read has a trend, upwards or downwards; it is half as often up',
    'slope.observed': 'target between the smallest doses of either sign, by their distance, a document',
    'slope.predicted': 'derivative of the target by the dose at 0, from the model’s gradient, a document',
    isotonic: 'R² of the best rising curve to the mean target over doses, 0 among them',
    logistic: 'four-parameter logistic fit to the mean target at doses from 0 on',
    window:
      'dose at which mean KL reaches klCap by the dose from which the mean target is smallestEffect, both by linear interpolation of rising curves; percentile interval over documents',
    equalKl:
      'mean target × √(klCap / mean KL) at the main test’s dose, for the latent and for its controls; p is its rank among a kind’s. Tied ones are steered at that dose of their own, in documents in which they are silent',
  },
  columns: {
    control: 'string',
    controlId: 'int32?',
    dose: 'float64',
    document: 'string',
    window: 'string',
    positions: 'int32',
    norm: 'float64',
    target: 'float64',
    kl: 'float64',
    slope: 'float64?',
  },

  async measure({ material, inputs, pause }, plan) {
    if (!isTested(material, plan)) return []
    const strengths = [...new Set(inputs.config.strengths)].sort((a, b) => a - b)
    const direction = directionOf(material, plan.claim.feature)
    const bank = bankOf([direction])
    const rows: Row[] = []
    try {
      for (const document of plan.documents.steer) {
        rows.push(...measureDocument(material, plan, document, strengths, bank, direction))
        await pause()
      }
    } finally {
      bank.dispose()
    }
    for (const subject of tiedSubjects(material, plan)) {
      rows.push(...measureTied(material, plan, subject))
      await pause()
    }
    return rows
  },

  judge: (tested, settings) =>
    tested.map(({ claim, rows, effects }) => (rows.length === 0 ? null : findingsOf(claim, rows, effects, settings))),
})

function measureDocument(
  material: Material,
  { claim: { feature, discovery }, target: { weights } }: LatentPlan,
  { document, window }: ClaimDocument,
  strengths: readonly number[],
  bank: Parameters<typeof effectsOf>[2]['bank'],
  direction: Float32Array,
): Row[] {
  const positions = positionsIn('all', window.tokens.length, [])
  const edits = strengths.map(dose => ({
    direction: 0,
    change: new Float32Array(positions.length).fill(dose * discovery.unit),
  }))
  const slope = discovery.unit * gradientIn(material, window.tokens, weights, direction)
  return effectsOf(material, feature, { window, positions, edits, bank, weights }).map(({ norm, target, kl }, i) => ({
    control: 'feature',
    controlId: null,
    dose: strengths[i]!,
    document,
    window: window.id,
    positions: positions.length,
    norm,
    target,
    kl,
    slope,
  }))
}

/** A tied control at the dose of the claim, on its own target. */
function measureTied(material: Material, { claim }: LatentPlan, subject: TiedSubject): Row[] {
  const bank = bankOf([subject.direction])
  try {
    return subject.silent.flatMap(({ document, window }) => {
      const positions = positionsIn('all', window.tokens.length, [])
      const change = new Float32Array(positions.length).fill(claim.dose * subject.unit)
      const asked = { window, positions, edits: [{ direction: 0, change }], bank, weights: subject.target.weights }
      return effectsOf(material, claim.feature, asked).map(
        ({ norm, target, kl }): Row => ({
          ...{ control: 'tied', controlId: subject.id, dose: claim.dose, document, window: window.id },
          ...{ positions: positions.length, norm, target, kl, slope: null },
        }),
      )
    })
  } finally {
    bank.dispose()
  }
}

/** Derivative at 0 of the mean target over all positions after the first, when s · direction is added at each of them. */
function gradientIn({ model, sae }: Material, ids: Int32Array, weights: Float32Array, direction: Float32Array): number {
  return onHost(() => {
    const tokens = tf.tensor2d(ids, [1, ids.length], 'int32')
    const column = tf.tensor2d(weights, [weights.length, 1])
    const rows = tf.tensor3d(direction, [1, 1, direction.length])
    const edited = tf.tensor1d(Array.from(ids, (_, position) => (position === 0 ? 0 : 1))).reshape([1, -1, 1])
    const targetAt = (s: Scalar) => {
      const delta = edited.mul(rows).mul(s) as Tensor3D
      const logits = model.run(tokens, { hooks: { [sae.metadata.hook_name]: adding(delta) } })
      const target = logits
        .reshape([ids.length, weights.length])
        .matMul(column)
        .mul(edited.reshape([-1, 1]))
      return target.sum().div(ids.length - 1) as Scalar
    }
    return tf
      .grad(s => targetAt(s as Scalar))(tf.scalar(0))
      .dataSync()[0]!
  })
}

function findingsOf(
  claim: Claim,
  all: readonly Row[],
  effects: readonly EffectRow[],
  settings: StudySettings,
): DosesFound {
  const { alpha, seed, klCap, smallestEffect } = settings
  const rows = all.filter(({ control }) => control === 'feature')
  const key = [seed, 'doses', claim.feature]
  const strengths = [...new Set(rows.map(({ dose }) => dose))].sort((a, b) => a - b)
  const documents = [...new Set(rows.map(({ document }) => document))]
  const at = (dose: number, value: (row: Row) => number) =>
    byDocument(
      rows.filter(row => row.dose === dose),
      documents,
      value,
    )
  const target = strengths.map(dose => at(dose, row => row.target))
  const kl = strengths.map(dose => at(dose, row => row.kl))
  const blocks = documents.map((_, d) => target.map(values => values[d]!))
  const { statistic, z, p, permutationP } = pageTrend(blocks, new Random(...key, 'trend'))
  const [below, above] = [strengths.findLastIndex(dose => dose < 0), strengths.findIndex(dose => dose > 0)]
  const distance = strengths[above]! - strengths[below]!
  const observed = documents.map((_, d) => (target[above]![d]! - target[below]![d]!) / distance)
  const predicted = byDocument(rows, documents, row => row.slope!)
  const rising = strengths.flatMap((dose, i) => (dose > 0 ? [{ dose, target: target[i]!, kl: kl[i]! }] : []))
  const means = rising.map(step => mean(step.target))
  const curve: Curve = {
    doses: rising.map(({ dose }) => dose),
    target: rising.map(step => step.target),
    kl: rising.map(step => step.kl),
  }
  const fitted = fitLogistic([0, ...curve.doses], [0, ...means])
  const withZero = [...strengths.map((dose, i) => ({ dose, value: mean(target[i]!) })), { dose: 0, value: 0 }]
  return {
    documents: documents.length,
    points: strengths.map((dose, i) => ({
      dose,
      target: summarise(target[i]!, settings, ...key, dose, 'target'),
      kl: summarise(kl[i]!, settings, ...key, dose, 'kl'),
    })),
    trend: { statistic, z, p, permutationP },
    slope: {
      observed: summarise(observed, settings, ...key, 'observed'),
      predicted: summarise(predicted, settings, ...key, 'predicted'),
      ratio: ratioOfMeans(observed, predicted, 1 - alpha),
    },
    isotonic: isotonic(withZero.sort((a, b) => a.dose - b.dose).map(({ value }) => value)).rSquared,
    logistic: fitted && {
      bottom: fitted.bottom,
      top: fitted.top,
      ec50: fitted.ec50,
      slope: fitted.slope,
      rSquared: fitted.rSquared,
    },
    window: windowOf(
      curve,
      { effect: smallestEffect, cap: klCap, alpha, draws: settings.bootstrap },
      new Random(...key, 'window'),
    ),
    equalKl: equalKlOf(
      claim,
      effects,
      all.filter(({ control }) => control === 'tied'),
      klCap,
    ),
  }
}

/** The main test's steering at its dose, each effect brought to the cap of KL. */
function equalKlOf(
  claim: Claim,
  effects: readonly EffectRow[],
  tied: readonly Row[],
  cap: number,
): DosesFound['equalKl'] {
  const { documents, own, controls } = groupRows(effects, 'steer', claim.dose)
  const sign = Math.sign(claim.dose)
  const brought = ({ target, kl }: { readonly target: readonly number[]; readonly kl: readonly number[] }) =>
    mean(kl) > 0 ? sign * mean(target) * Math.sqrt(cap / mean(kl)) : 0
  if (documents.length < fewestDocuments || sign === 0) return null
  const effect = brought(own)
  // KL is measured of a kind's first controls alone.
  const ranks = [...controls].flatMap(([kind, each]): [string, number][] => {
    const known = each.flatMap(({ target, kl }) => (kl === null ? [] : [brought({ target, kl })]))
    return kind === 'tied' || known.length === 0 ? [] : [[kind, rankP(effect, known, 'greater')]]
  })
  const each = [...new Set(tied.map(({ controlId }) => controlId))].map(id => {
    const own = tied.filter(row => row.controlId === id)
    return brought({ target: own.map(row => row.target), kl: own.map(row => row.kl) })
  })
  if (each.length > 0) ranks.push(['tied', rankP(effect, each, 'greater')])
  return { effect, p: Object.fromEntries(ranks) }
}
