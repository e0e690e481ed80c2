/** Labels for other programs: the finished features of a label run as JSONL, JSON or CSV. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../core/errors.ts'
import { readError, writeAtomic } from '../core/files.ts'
import type { Feature } from './feature.ts'
import { labelsSchema, writeJsonLines } from './files.ts'

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

/** Reads features.jsonl of a label run; throws a `UserError` for a missing or foreign file. */
export async function readFeatures(directory: string): Promise<Feature[]> {
  const path = join(directory, 'features.jsonl')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw readError(path, 'label file', error)
  }
  return text
    .split('\n')
    .filter(line => line !== '')
    .map((line, index) => {
      const { schema, ...feature } = parseLine(line, path, index)
      if (schema !== labelsSchema)
        throw new UserError(
          `${path} line ${index + 1} has schema ${String(schema)}, but this version reads ${labelsSchema}.`,
          {
            fix: 'Label the SAE again, or use the version that wrote the file.',
          },
        )
      return feature as unknown as Feature
    })
}

function parseLine(line: string, path: string, index: number): Record<string, unknown> {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw new UserError(`${path} line ${index + 1} is not JSON.`, { fix: 'Label the SAE again.', cause })
  }
}

/** Writes the selected features of a label run to `path`; returns how many. */
export async function exportLabels(
  directory: string,
  path: string,
  format: LabelFormat,
  selection: LabelSelection = {},
): Promise<number> {
  const features = (await readFeatures(directory)).filter(
    feature =>
      (!selection.verdicts || selection.verdicts.includes(feature.evidence?.verdict ?? 'not-run')) &&
      (!selection.labelledOnly || !['none', 'promotes'].includes(feature.labelKind)),
  )
  if (format === 'jsonl') await writeJsonLines(path, features)
  else if (format === 'json')
    await writeAtomic(path, `${JSON.stringify({ schema: labelsSchema, features }, null, 2)}\n`)
  else await writeAtomic(path, csvOf(features))
  return features.length
}

const csvColumns: Record<string, (feature: Feature) => string | number | null | undefined> = {
  latent: ({ latent }) => latent,
  label: ({ label }) => label,
  label_kind: ({ labelKind }) => labelKind,
  label_f1: ({ labelF1 }) => labelF1,
  density: ({ density }) => density,
  max_activation: ({ maxActivation }) => maxActivation,
  verdict: ({ evidence }) => evidence?.verdict ?? 'not-run',
  effect: ({ evidence }) => evidence?.effect,
  effect_low: ({ evidence }) => evidence?.effectLow,
  effect_high: ({ evidence }) => evidence?.effectHigh,
  control_relative_effect: ({ evidence }) => evidence?.controlRelativeEffect,
  p: ({ evidence }) => evidence?.p,
  q: ({ evidence }) => evidence?.q,
  stability: ({ stability }) => stability,
  promoted: ({ promoted }) => promoted.map(({ token }) => token).join(' '),
  suppressed: ({ suppressed }) => suppressed.map(({ token }) => token).join(' '),
}

/** RFC 4180: a header line, fields quoted where they hold a comma, quote or line break. */
function csvOf(features: readonly Feature[]): string {
  const field = (value: string | number | null | undefined) => {
    const text = value === null || value === undefined ? '' : String(value)
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  const lines = [
    Object.keys(csvColumns),
    ...features.map(feature => Object.values(csvColumns).map(pick => field(pick(feature)))),
  ]
  return lines.map(line => `${line.join(',')}\r\n`).join('')
}
