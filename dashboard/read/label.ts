/** A label with what must be known to believe it: never the text alone. */
import type { z } from 'zod'
import type { Label } from '../api/contracts/feature.ts'
import type { ShownLabel } from '../api/contracts/play.ts'
import type { Table } from './table.ts'

/** Columns that go with a label wherever it goes, as far as the table has them. */
const labelCompanions = [
  ...['label_kind', 'label_score_name', 'label_score', 'label_score_low', 'label_score_high', 'label_coverage'],
  ...['label_source', 'label_precision', 'label_recall', 'label_f1', 'label_base_rate', 'verdict', 'tier', 'stability'],
  ...['sae_hash', 'model_hash', 'dataset_hash'],
]

type Row = Readonly<Record<string, unknown>>

/** Columns to show, all but lists where none are named: a label brings its companions with it. */
export function withCompanions(table: Table, names: readonly string[]): string[] {
  if (names.length === 0) return [...table.scalars]
  const companions = names.includes('label') ? labelCompanions.filter(name => table.names.includes(name)) : []
  return [...new Set([...names, ...companions])]
}

const text = (value: unknown) => (typeof value === 'string' ? value : null)
const number = (value: unknown) => (typeof value === 'number' ? value : null)

/** The label of a row of features.parquet with its scores, verdict and source; null where it has none. */
export function labelOf(row: Row, run: string, sha256: string | null): z.input<typeof Label> | null {
  const label = text(row.label)
  if (label === null) return null
  return {
    text: label,
    kind: String(row.label_kind),
    scoreName: text(row.label_score_name) ?? 'f1',
    score: number(row.label_score) ?? number(row.label_f1),
    scoreLow: number(row.label_score_low),
    scoreHigh: number(row.label_score_high),
    coverage: number(row.label_coverage) ?? number(row.label_recall),
    madeBy: text(row.label_source) ?? 'rule',
    precision: number(row.label_precision),
    recall: number(row.label_recall),
    f1: number(row.label_f1),
    baseRate: number(row.label_base_rate),
    verdict: String(row.verdict),
    tier: text(row.tier),
    stability: number(row.stability),
    source: { run, file: 'features.parquet', sha256, where: `latent=${row.latent}` },
  }
}

/** The same in short. */
export function shownLabelOf(row: Row, run: string): z.input<typeof ShownLabel> | null {
  const label = labelOf(row, run, null)
  if (!label) return null
  const { text, scoreName, score, coverage, verdict, tier } = label
  return { text, scoreName, score, coverage, verdict, tier, run }
}
