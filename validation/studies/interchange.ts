/**
 * Interchange between documents: the latent's activations of a document where it fires are put into one where it is silent, at
 * the same positions, and the other way round (interchange interventions: Geiger et al. 2021, arXiv:2106.02997). What goes in shows
 * what the latent suffices for, what goes out what it is needed for. A latent beside which others do the same is sufficient and
 * not necessary.
 */

import type { Tensor2D } from '../../engine/tf.ts'
import { mean } from '../../statistics/descriptive.ts'
import type { Material } from '../claims/plan.ts'
import type { Target } from '../claims/targets.ts'
import type { InterchangeFound } from '../contracts/interchange.ts'
import { type AnalysisSettings, summarise } from '../judging/analyse.ts'
import { byDocument } from '../judging/values.ts'
import type { ClaimDocument } from '../rows.ts'
import { rankAmong } from './ranks.ts'
import { ratioOfMeans } from './ratio.ts'
import { latentStudy, type StudyContext } from './study.ts'
import { type BankRow, bankOf, controlledBank, effectsOf, isTested, targetIn } from './subject.ts'
import { tiedSubjects } from './tied.ts'

type Row = {
  readonly way: 'in' | 'out'
  readonly control: string
  readonly controlId: number | null
  /** The pair's active document, the unit of statistics, and its silent one. */
  readonly document: string
  readonly silent: string
  readonly window: string
  readonly positions: number
  /** Null for controls that have documents of their own. */
  readonly difference: number | null
  readonly target: number
  readonly kl: number
}

export const interchange = latentStudy<Row, InterchangeFound>({
  name: 'interchange',
  question: 'Do the latent’s activations suffice for the effect, and is it needed for it?',
  byDefault: false,
  definitions: {
    difference:
      'target at the positions where the latent is active in the active document, less that at the same positions of the silent one, as they are; a pair is a unit, by its active document',
    sufficiency:
      'rise of the target in the silent document when it is given the latent’s activations of the active one',
    necessity: 'fall of the target in the active document when it is given the latent’s activations of the silent one',
    share: 'mean effect by mean difference, bootstrap over pairs; null where the difference may be 0',
    p: 'the largest of the ranks among random and among foreign directions with the same edits, and among tied random directions, each of which gives activations of its own between documents of its own; null where a kind has too few',
    found: `true: the interval lies beyond smallestEffect and p ≤ α; false: the interval lies short of smallestEffect; null otherwise`,
    backup: 'sufficient and not necessary, both found; null where either cannot be told',
  },
  columns: {
    way: 'string',
    control: 'string',
    controlId: 'int32?',
    document: 'string',
    silent: 'string',
    window: 'string',
    positions: 'int32',
    difference: 'float64?',
    target: 'float64',
    kl: 'float64',
  },

  async measure(bench, plan) {
    const { material, pause } = bench
    if (!isTested(material, plan) || plan.documents.steer.length === 0) return []
    const { feature } = plan.claim
    const { bank, rows: bankRows } = controlledBank(material, plan)
    const own = { bank, bankRows, target: plan.target, active: plan.documents.ablate, silent: plan.documents.steer }
    const rows: Row[] = await measurePairs(bench, feature, own)
    for (const { id, direction, ...subject } of tiedSubjects(material, plan)) {
      const tied: BankRow = { control: 'tied', controlId: id }
      rows.push(...(await measurePairs(bench, feature, { ...subject, bank: bankOf([direction]), bankRows: [tied] })))
      await pause()
    }
    return rows
  },

  judge: (tested, settings) =>
    tested.map(({ claim, rows }) =>
      rows.length === 0 ? null : findingsOf(rows, settings, [settings.seed, 'interchange', claim.feature]),
    ),
})

/** Directions with documents of their own; the bank is disposed once they are measured. */
interface Subject {
  readonly bank: Tensor2D
  readonly bankRows: readonly BankRow[]
  readonly target: Target
  readonly active: readonly ClaimDocument[]
  readonly silent: readonly ClaimDocument[]
}

async function measurePairs({ material, pause }: StudyContext, feature: number, subject: Subject): Promise<Row[]> {
  const rows: Row[] = []
  try {
    for (const [i, active] of subject.active.entries()) {
      rows.push(...measurePair(material, feature, subject, active, subject.silent[i % subject.silent.length]!))
      await pause()
    }
  } finally {
    subject.bank.dispose()
  }
  return rows
}

function measurePair(
  material: Material,
  feature: number,
  { bank, bankRows, target: { weights } }: Subject,
  active: ClaimDocument,
  silent: ClaimDocument,
): Row[] {
  const positions = [...active.activations.keys()].filter(position => position < silent.window.tokens.length)
  if (positions.length === 0) return []
  const differenceOf = () => {
    const [there, here] = [targetIn(material, active.window, weights), targetIn(material, silent.window, weights)]
    return mean(positions.map(position => there[position]! - here[position]!))
  }
  // Shares are of the latent alone.
  const difference = bankRows[0]!.control === 'feature' ? differenceOf() : null
  const value = ({ activations }: ClaimDocument, position: number) => activations.get(position) ?? 0
  const give = (way: 'in' | 'out') => {
    const [to, from] = way === 'in' ? [silent, active] : [active, silent]
    const change = Float32Array.from(positions, position => value(from, position) - value(to, position))
    const edits = bankRows.map((_, direction) => ({ direction, change }))
    const effects = effectsOf(material, feature, { window: to.window, positions, edits, bank, weights })
    return effects.map(({ target, kl }, i): Row => {
      const pair = { document: active.document, silent: silent.document, window: to.window.id }
      return { way, ...bankRows[i]!, ...pair, positions: positions.length, difference, target, kl }
    })
  }
  return [...give('in'), ...give('out')]
}

function findingsOf(
  rows: readonly Row[],
  settings: AnalysisSettings,
  seed: readonly (string | number)[],
): InterchangeFound {
  const latent = rows.filter(({ control }) => control === 'feature')
  const documents = [...new Set(latent.map(({ document }) => document))]
  const entering = latent.filter(({ way }) => way === 'in')
  const difference = byDocument(entering, documents, row => row.difference!)
  const findOf = (way: Row['way']) => {
    const sign = way === 'in' ? 1 : -1
    const series = (of: readonly Row[]) =>
      byDocument(of, [...new Set(of.map(({ document }) => document))], ({ target }) => sign * target)
    const effects = series(latent.filter(row => row.way === way))
    const effect = summarise(effects, settings, ...seed, way)
    const own = rows.filter(row => row.way === way)
    const p = rankAmong(mean(effects), own, ['random', 'foreign', 'tied'], settings.alpha, each => mean(series(each)))
    const { low, high } = effect
    const found =
      low !== null && low > settings.smallestEffect && p !== null && p <= settings.alpha
        ? true
        : high !== null && high < settings.smallestEffect
          ? false
          : null
    return { effect, share: ratioOfMeans(effects, difference, 1 - settings.alpha), p, found }
  }
  const [sufficiency, necessity] = [findOf('in'), findOf('out')]
  return {
    pairs: new Set(entering.map(({ window, document }) => `${document} ${window}`)).size,
    difference: summarise(difference, settings, ...seed, 'difference'),
    sufficiency,
    necessity,
    backup: sufficiency.found === null || necessity.found === null ? null : sufficiency.found && !necessity.found,
  }
}
