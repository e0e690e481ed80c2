/** Labels for other programs: the finished features of a label run as JSON lines, JSON or CSV. */
import { visible, visibleJson } from '../core/visible.ts'
import { type Feature, isLabelled, labelsSchema } from './feature.ts'
import { jsonLines, readFeatures } from './files.ts'

/** Forms that labels can be exported in. */
export const labelFormats = ['jsonl', 'json', 'csv'] as const
export type LabelFormat = (typeof labelFormats)[number]

/** Which features an export holds. */
export interface LabelSelection {
  /** Only features with one of these verdicts (`pass`, `fail`, `inconclusive`, `not-run`). */
  readonly verdicts?: readonly string[]
  /** Only features that a rule describes. */
  readonly labelledOnly?: boolean
}

/** The selected features of a label run as text of the form asked for, and how many they are. */
export async function exportLabels(
  directory: string,
  format: LabelFormat,
  { verdicts, labelledOnly }: LabelSelection = {},
): Promise<{ readonly text: string; readonly features: number }> {
  const features = (await readFeatures(directory)).filter(
    feature =>
      (!verdicts || verdicts.includes(feature.evidence?.verdict ?? 'not-run')) &&
      (!labelledOnly || isLabelled(feature)),
  )
  const text = { jsonl: jsonLines, json: jsonOf, csv: csvOf }[format](features)
  return { text, features: features.length }
}

const jsonOf = (features: readonly Feature[]) => `${JSON.stringify({ schema: labelsSchema, features }, null, 2)}\n`

/** What a cell holds: a number, a text, a list as JSON, or nothing. */
type Cell = number | string | readonly unknown[] | null | undefined

const csvColumns: Readonly<Record<string, (feature: Feature) => Cell>> = {
  latent: ({ latent }) => latent,
  label: ({ label }) => label,
  label_kind: ({ labelKind }) => labelKind,
  label_f1: ({ labelF1 }) => labelF1,
  label_precision: ({ labelPrecision }) => labelPrecision,
  label_recall: ({ labelRecall }) => labelRecall,
  label_base_rate: ({ labelBaseRate }) => labelBaseRate,
  rule_kind: ({ rule }) => rule?.kind,
  rule_tokens: ({ rule }) => rule?.tokens,
  rule_token_ids: ({ rule }) => rule?.tokenIds,
  rule_concept: ({ rule }) => rule?.concept,
  density: ({ density }) => density,
  mean_activation: ({ meanActivation }) => meanActivation,
  max_activation: ({ maxActivation }) => maxActivation,
  verdict: ({ evidence }) => evidence?.verdict ?? 'not-run',
  tier: ({ evidence }) => evidence?.tier,
  intervention: ({ evidence }) => evidence?.intervention,
  dose: ({ evidence }) => evidence?.dose,
  concept: ({ evidence }) => evidence?.concept,
  documents: ({ evidence }) => evidence?.documents,
  effect_metric: ({ evidence }) => evidence?.metric,
  effect: ({ evidence }) => evidence?.effect,
  effect_low: ({ evidence }) => evidence?.effectLow,
  effect_high: ({ evidence }) => evidence?.effectHigh,
  control_relative_effect: ({ evidence }) => evidence?.controlRelativeEffect,
  p: ({ evidence }) => evidence?.p,
  q: ({ evidence }) => evidence?.q,
  alpha: ({ evidence }) => evidence?.rule.alpha,
  smallest_effect: ({ evidence }) => evidence?.rule.smallestEffect,
  stability: ({ stability }) => stability,
  promoted_tokens: ({ promoted }) => promoted.map(({ token }) => token),
  promoted_effects: ({ promoted }) => promoted.map(({ effect }) => effect),
  suppressed_tokens: ({ suppressed }) => suppressed.map(({ token }) => token),
  suppressed_effects: ({ suppressed }) => suppressed.map(({ effect }) => effect),
  sae_hash: ({ hashes }) => hashes.sae,
  model_hash: ({ hashes }) => hashes.model,
  dataset_hash: ({ hashes }) => hashes.dataset,
}

/**
 * RFC 4180: a header line, fields quoted where they hold a comma, quote or line break. A list is a JSON array in its cell, a
 * missing value an empty cell. Control characters are written out, and a text that a spreadsheet would take for a formula
 * has an apostrophe before it.
 */
function csvOf(features: readonly Feature[]): string {
  const lines = [
    Object.keys(csvColumns),
    ...features.map(feature => Object.values(csvColumns).map(pick => csvField(pick(feature)))),
  ]
  return lines.map(line => `${line.join(',')}\r\n`).join('')
}

function csvField(cell: Cell): string {
  const text = csvText(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function csvText(cell: Cell): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'number') return String(cell)
  if (typeof cell !== 'string') return visibleJson(cell)
  const text = visible(cell)
  return /^[=+\-@\t\r]/.test(cell) ? `'${text}` : text
}
