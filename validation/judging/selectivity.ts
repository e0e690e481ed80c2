/** Selectivity of a latent with a claimed concept: AUROC over validation tokens, with documents as the unit. */
import { deLong } from '../../statistics/association/auroc.ts'
import { clusteredAuroc } from '../../statistics/association/clustered-auroc.ts'
import { rankP } from '../../statistics/tests/permutation.ts'
import type { Claim, Selectivity } from '../evidence.ts'
import type { SelectivityRow } from '../rows.ts'
import { finite } from './analyse.ts'
import { selectivityVerdict } from './verdict.ts'

interface SelectivitySettings {
  readonly alpha: number
  readonly minimumAuroc: number
}

/** AUROC, its interval and its rank among dealings of the labels; null for a claim without a concept. */
export function analyseSelectivity(
  claim: Claim,
  rows: readonly SelectivityRow[],
  nullMaxima: readonly number[],
  { alpha }: Pick<SelectivitySettings, 'alpha'>,
): Selectivity | null {
  if (claim.concept === null) return null
  const scores: number[] = []
  const labels: number[] = []
  const documents: string[] = []
  for (const row of rows) {
    const active = new Map(row.positions.map((position, i) => [position, row.activations[i]!]))
    const labelled = new Set(row.labelled)
    for (let position = 1; position <= row.tokens; position++) {
      scores.push(active.get(position) ?? 0)
      labels.push(labelled.has(position) ? 1 : 0)
      documents.push(row.document)
    }
  }
  const found = scores.length === 0 ? null : clusteredAuroc(scores, labels, documents, 1 - alpha)
  const independent = found && deLong(scores, labels, 1 - alpha)
  return {
    concept: claim.concept,
    discoveryAuroc: claim.discovery.auroc,
    auroc: found?.estimate ?? null,
    low: found?.low ?? null,
    high: found?.high ?? null,
    deLong: { low: finite(independent?.low ?? Number.NaN), high: finite(independent?.high ?? Number.NaN) },
    tokens: scores.length,
    positives: labels.reduce((sum, label) => sum + label, 0),
    documents: new Set(documents).size,
    nullMaxima: [...nullMaxima],
    p: found ? rankP(found.estimate, nullMaxima, 'greater') : null,
    q: null,
    verdict: 'not-run',
    reason: '',
  }
}

/** The same with its q-value in the family, and what follows from it. */
export function decideSelectivity(
  selectivity: Selectivity,
  q: number | null,
  settings: SelectivitySettings,
): Selectivity {
  return { ...selectivity, q, ...selectivityVerdict({ ...selectivity, q }, settings) }
}
