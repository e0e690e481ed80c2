/** From raw values to evidence: a pure function, so that `recompute` can hold a file of evidence to its tables. */
import { Random } from '../../core/random.ts'
import { aurocInterval, deLong, scoreTable } from '../../statistics/association/auroc.ts'
import { benjaminiHochberg } from '../../statistics/multiplicity/false-discovery.ts'
import { rankP } from '../../statistics/tests/permutation.ts'
import type { Claim, FeatureEvidence, InterventionEvidence, Selectivity } from '../evidence.ts'
import type { Measured, SelectivityRow } from '../rows.ts'
import {
  type AnalysisSettings,
  analyseDoses,
  analyseIntervention,
  analyseStrata,
  finite,
  summarise,
} from './analyse.ts'
import { causalVerdict, type Decision, overall, selectivityVerdict } from './verdict.ts'

export interface AssembleSettings extends AnalysisSettings {
  readonly minimumAuroc: number
  readonly claims: 'auto' | 'concept' | 'firing'
  readonly fields: readonly string[]
  readonly strata: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly seed: number
}

/** Evidence of all latents: their statistics, q-values over the family, verdicts. */
export function assemble(measured: readonly Measured[], settings: AssembleSettings): FeatureEvidence[] {
  const { seed } = settings
  const parts = measured.map(({ claim, rows, selectivity, nullMaxima }) => ({
    claim,
    rows,
    ablate: analyseIntervention(claim, rows, 'ablate', settings, seed),
    steer: analyseIntervention(claim, rows, 'steer', settings, seed),
    selectivity: analyseSelectivity(claim, selectivity, nullMaxima, settings),
  }))
  const ablateQ = familyQ(parts.map(part => part.ablate?.test.p ?? null))
  const steerQ = familyQ(parts.map(part => part.steer?.test.p ?? null))
  const selectivityQ = familyQ(parts.map(part => part.selectivity?.p ?? null))
  return parts.map(({ claim, rows, ...part }, i) => {
    const ablate = withQ(part.ablate, ablateQ, i)
    const steer = withQ(part.steer, steerQ, i)
    const selectivity = part.selectivity && decideSelectivity(part.selectivity, selectivityQ.q[i]!, settings)
    const claimed = claim.concept !== null || settings.claims !== 'concept'
    const causal = causalVerdict(claim.primary === 'ablate' ? ablate : steer, settings, claimed)
    const decisions: Decision[] = selectivity ? [causal, selectivity] : [causal]
    const doses = analyseDoses(claim, rows, settings, seed)
    const sham = rows.filter(row => row.control === 'sham').map(row => row.kl)
    const side = rows.filter(
      row => row.intervention === 'steer' && row.control === 'feature' && row.dose === claim.dose,
    )
    return {
      claim,
      verdict: overall(decisions),
      reasons: decisions.map(({ reason }) => reason),
      causal,
      selectivity,
      ablate,
      steer,
      doseCurve: doses.points,
      doseTrend: doses.trend,
      sideEffect:
        side.length === 0
          ? null
          : summarise(
              side.map(row => row.kl),
              settings,
              seed,
              'side',
              claim.feature,
            ),
      sham: sham.length === 0 ? null : finite(Math.max(...sham)),
      robustness: analyseStrata(claim, rows, settings.strata, settings.fields, settings, seed),
    }
  })
}

/** q-values over the tests that were run; those that were not stay null and are not of the family. */
function familyQ(p: readonly (number | null)[]): { q: (number | null)[]; size: number } {
  const run = p.flatMap((value, i) => (value === null ? [] : [{ value, i }]))
  const q = new Array<number | null>(p.length).fill(null)
  benjaminiHochberg(run.map(({ value }) => value)).forEach((value, k) => {
    q[run[k]!.i] = value
  })
  return { q, size: run.length }
}

function withQ(
  evidence: InterventionEvidence | null,
  { q, size }: ReturnType<typeof familyQ>,
  i: number,
): InterventionEvidence | null {
  return evidence && { ...evidence, test: { ...evidence.test, q: q[i]!, size } }
}

function analyseSelectivity(
  claim: Claim,
  rows: readonly SelectivityRow[],
  nullMaxima: readonly number[],
  settings: AssembleSettings,
): Selectivity | null {
  if (claim.concept === null) return null
  const scores: number[] = []
  const labels: number[] = []
  const documents: number[] = []
  rows.forEach((row, document) => {
    const active = new Map(row.positions.map((position, i) => [position, row.activations[i]!]))
    const labelled = new Set(row.labelled)
    for (let position = 1; position <= row.tokens; position++) {
      scores.push(active.get(position) ?? 0)
      labels.push(labelled.has(position) ? 1 : 0)
      documents.push(document)
    }
  })
  const interval = aurocInterval(scoreTable(scores, labels, documents, rows.length), {
    random: new Random(settings.seed, 'auroc', claim.feature),
    draws: settings.bootstrap,
    level: 1 - settings.alpha,
  })
  const independent = deLong(scores, labels, 1 - settings.alpha)
  const known = Number.isFinite(interval.estimate)
  return {
    concept: claim.concept,
    discoveryAuroc: claim.discovery.auroc,
    auroc: finite(interval.estimate),
    low: finite(interval.low),
    high: finite(interval.high),
    deLong: { low: finite(independent.low), high: finite(independent.high) },
    tokens: scores.length,
    positives: labels.reduce((sum, label) => sum + label, 0),
    documents: rows.length,
    nullMaxima: [...nullMaxima],
    p: known ? rankP(interval.estimate, nullMaxima, 'greater') : null,
    q: null,
    verdict: 'not-run',
    reason: '',
  }
}

function decideSelectivity(selectivity: Selectivity, q: number | null, settings: AssembleSettings): Selectivity {
  return { ...selectivity, q, ...selectivityVerdict({ ...selectivity, q }, settings) }
}
