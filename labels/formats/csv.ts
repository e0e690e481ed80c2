/** Our own records as CSV (RFC 4180), the fields that a table has room for. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { readText } from '../../core/files.ts'
import { visible, visibleJson } from '../../core/visible.ts'
import type { Feature } from '../feature.ts'
import type { ImportedLabels, LabelFormat } from './format.ts'

export const csv: LabelFormat = {
  name: 'csv',
  about: 'our records, a table for spreadsheets',
  ending: '.csv',
  keys: [],
  async *write({ features }) {
    yield { path: '', data: csvOf(features) }
  },
  read,
}

/** What a cell holds: a number, a truth, a text, a list as JSON, or nothing. */
export type Cell = number | boolean | string | readonly unknown[] | null | undefined

const csvColumns: Readonly<Record<string, (feature: Feature) => Cell>> = {
  latent: ({ latent }) => latent,
  label: ({ label }) => label,
  label_kind: ({ labelKind }) => labelKind,
  label_score_name: ({ labelScoreName }) => labelScoreName,
  label_score: ({ labelScore }) => labelScore,
  label_score_low: ({ labelScoreLow }) => labelScoreLow,
  label_score_high: ({ labelScoreHigh }) => labelScoreHigh,
  label_coverage: ({ labelCoverage }) => labelCoverage,
  label_source: ({ labelSource }) => labelSource,
  label_f1: ({ labelF1 }) => labelF1,
  label_precision: ({ labelPrecision }) => labelPrecision,
  label_recall: ({ labelRecall }) => labelRecall,
  label_base_rate: ({ labelBaseRate }) => labelBaseRate,
  rule_kind: ({ rule }) => rule?.kind,
  rule_tokens: ({ rule }) => rule?.tokens,
  rule_token_ids: ({ rule }) => rule?.tokenIds,
  rule_concept: ({ rule }) => rule?.concept,
  explanation: ({ explanation }) => explanation?.text,
  detection: ({ explanation }) => explanation?.detection?.value,
  fuzzing: ({ explanation }) => explanation?.fuzzing?.value,
  simulation: ({ explanation }) => explanation?.simulation?.value,
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
  const rows = features.map(feature => Object.values(csvColumns).map(pick => pick(feature)))
  return [Object.keys(csvColumns), ...rows].map(csvLine).join('')
}

/** What a spreadsheet takes for the start of a formula, in wide letters, too; and what would be read as guarded from it. */
const formula = /^'*[=+\-@\t\r＝＋－＠]/

/** A line of cells, with its end. */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvField).join(',')}\r\n`
}

function csvField(cell: Cell): string {
  const text = csvText(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function csvText(cell: Cell): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'number' || typeof cell === 'boolean') return String(cell)
  if (typeof cell !== 'string') return visibleJson(cell)
  const text = visible(cell)
  return formula.test(cell) ? `'${text}` : text
}

/** Cells by row; a quoted cell may hold commas, quotes (doubled) and line breaks. */
export function parseCsv(text: string, path: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  for (let at = 0; at < text.length; ) {
    let cell = ''
    if (text[at] === '"') {
      for (at++; ; at++) {
        const end = text.indexOf('"', at)
        if (end < 0) throw new UserError(`${path} ends within a quoted cell, in row ${rows.length + 1}.`)
        cell += text.slice(at, end)
        at = end + 1
        if (text[at] !== '"') break
        cell += '"'
      }
    } else {
      const end = /[,\r\n]/.exec(text.slice(at))?.index ?? text.length - at
      cell = text.slice(at, at + end)
      at += end
    }
    row.push(cell)
    if (text[at] === ',') {
      at++
      if (at < text.length) continue
      row.push('')
    } else if (at < text.length && text[at] !== '\r' && text[at] !== '\n')
      throw new UserError(`${path}, row ${rows.length + 1}, has text after a quoted cell.`)
    else at += text.startsWith('\r\n', at) ? 2 : 1
    rows.push(row)
    row = []
  }
  return rows
}

const Latent = z
  .string()
  .regex(/^\d{1,9}$/)
  .transform(Number)

/** Reads the columns latent and label, and where they are there label_kind, rule_concept and sae_hash. */
async function read(path: string): Promise<ImportedLabels> {
  const [header = [], ...all] = parseCsv(await readText(path, 'label file'), path)
  // Programs that write tables, and people, leave empty lines at the end.
  const rows = all.slice(0, all.findLastIndex(row => row.length > 1 || row[0] !== '') + 1)
  const twice = header.find((name, i) => header.indexOf(name) < i)
  if (twice !== undefined)
    throw new UserError(`${path} has two columns ${JSON.stringify(twice)}.`, { fix: 'Leave one out.' })
  for (const name of ['latent', 'label'])
    if (!header.includes(name))
      throw new UserError(`${path} has no column ${name}; it has ${header.join(', ') || 'none'}.`, {
        fix: 'Name the columns latent and label in its first line.',
      })
  const labels = []
  const saeHashes = new Set<string>()
  for (const [i, row] of rows.entries()) {
    const cell = (name: string) => row[header.indexOf(name)]
    if (row.length !== header.length)
      throw new UserError(`${path}, row ${i + 2}, has ${row.length} cells, but its first line has ${header.length}.`)
    const latent = Latent.safeParse(cell('latent'))
    if (!latent.success)
      throw new UserError(
        `${path}, row ${i + 2}, has the latent ${JSON.stringify(cell('latent'))}, which is no number.`,
      )
    if (cell('sae_hash')) saeHashes.add(cell('sae_hash')!)
    const label = unguarded(cell('label')!)
    const concept = cell('label_kind') === 'concept' ? unguarded(cell('rule_concept') ?? '') || null : null
    if (label.trim() !== '') labels.push({ latent: latent.data, label, concept, sae: cell('sae_hash') || null })
  }
  return { labels, saeHashes, vectors: new Map() }
}

/** A text without the apostrophe that keeps spreadsheets from taking it for a formula. */
const unguarded = (text: string): string => (text[0] === "'" && formula.test(text) ? text.slice(1) : text)
