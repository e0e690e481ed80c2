/** The files of a label run: features.parquet, examples.parquet and features.jsonl. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { messageOf, UserError } from '../core/errors.ts'
import { readError, writeAtomic } from '../core/files.ts'
import { type Column, writeTable } from '../datasets/tables.ts'
import type { Activations } from '../latents/activations.ts'
import type { Example } from './examples.ts'
import { Feature, labelsSchema } from './feature.ts'

/** Rows of examples.parquet in a row group: one feature's page reads one group or two. */
const exampleGroupRows = 2000

/** Writes features.parquet: a row a latent. What is not there is null, and columns that may have nulls say so always. */
export async function writeFeatures(directory: string, features: readonly Feature[]): Promise<void> {
  const column = <T extends Column['type']>(type: T, pick: (feature: Feature) => unknown, nullable = false) =>
    ({ type, values: features.map(pick), nullable }) as Column
  const number = (pick: (feature: Feature) => number | null) => column('float64', pick, true)
  const text = (pick: (feature: Feature) => string | null, nullable = true) => column('string', pick, nullable)
  const tokens = (pick: (feature: Feature) => Feature['promoted']) =>
    column('list<string>', feature => pick(feature).map(({ token }) => token))
  const effects = (pick: (feature: Feature) => Feature['promoted']) =>
    column('list<float32>', feature => pick(feature).map(({ effect }) => effect))
  await writeTable(
    join(directory, 'features.parquet'),
    {
      latent: column('int32', ({ latent }) => latent),
      label: text(({ label }) => label),
      label_kind: text(({ labelKind }) => labelKind, false),
      label_precision: number(({ labelPrecision }) => labelPrecision),
      label_recall: number(({ labelRecall }) => labelRecall),
      label_f1: number(({ labelF1 }) => labelF1),
      label_base_rate: number(({ labelBaseRate }) => labelBaseRate),
      rule_kind: text(({ rule }) => rule?.kind ?? null),
      rule_tokens: column('list<string>', ({ rule }) => rule?.tokens ?? null, true),
      rule_token_ids: column('list<int32>', ({ rule }) => rule?.tokenIds ?? null, true),
      rule_concept: text(({ rule }) => rule?.concept ?? null),
      density: column('float64', ({ density }) => density),
      mean_activation: number(({ meanActivation }) => meanActivation),
      max_activation: column('float64', ({ maxActivation }) => maxActivation),
      histogram: column('list<int32>', ({ histogram }) => histogram),
      promoted_tokens: tokens(({ promoted }) => promoted),
      promoted_effects: effects(({ promoted }) => promoted),
      suppressed_tokens: tokens(({ suppressed }) => suppressed),
      suppressed_effects: effects(({ suppressed }) => suppressed),
      verdict: text(({ evidence }) => evidence?.verdict ?? 'not-run', false),
      tier: text(({ evidence }) => evidence?.tier ?? null),
      intervention: text(({ evidence }) => evidence?.intervention ?? null),
      dose: number(({ evidence }) => evidence?.dose ?? null),
      concept: text(({ evidence }) => evidence?.concept ?? null),
      documents: column('int32', ({ evidence }) => evidence?.documents ?? null, true),
      effect_metric: text(({ evidence }) => evidence?.metric ?? null),
      effect: number(({ evidence }) => evidence?.effect ?? null),
      effect_low: number(({ evidence }) => evidence?.effectLow ?? null),
      effect_high: number(({ evidence }) => evidence?.effectHigh ?? null),
      control_relative_effect: number(({ evidence }) => evidence?.controlRelativeEffect ?? null),
      p: number(({ evidence }) => evidence?.p ?? null),
      q: number(({ evidence }) => evidence?.q ?? null),
      alpha: number(({ evidence }) => evidence?.rule.alpha ?? null),
      smallest_effect: number(({ evidence }) => evidence?.rule.smallestEffect ?? null),
      stability: number(({ stability }) => stability),
      sae_hash: text(({ hashes }) => hashes.sae, false),
      model_hash: text(({ hashes }) => hashes.model, false),
      dataset_hash: text(({ hashes }) => hashes.dataset, false),
    },
    { schema: labelsSchema },
  )
}

/** Writes examples.parquet: a row an example, by latent, in row groups of at most 2,000 rows. */
export async function writeExamples(
  directory: string,
  activations: Activations,
  examples: readonly (readonly Example[])[],
  tokenText: (token: number) => string,
): Promise<void> {
  const rows = examples.flatMap((list, latent) => list.map(example => ({ latent, example })))
  const windowOf = (example: Example) => activations.windows[example.window]!
  const tokensOf = (example: Example) => [
    ...windowOf(example).tokens.subarray(example.start, example.start + example.activations.length),
  ]
  await writeTable(
    join(directory, 'examples.parquet'),
    {
      latent: { type: 'int32', values: rows.map(({ latent }) => latent) },
      group: { type: 'string', values: rows.map(({ example }) => example.group) },
      rank: { type: 'int32', values: rows.map(({ example }) => example.rank) },
      window: { type: 'string', values: rows.map(({ example }) => windowOf(example).id) },
      position: { type: 'int32', values: rows.map(({ example }) => example.position) },
      start: { type: 'int32', values: rows.map(({ example }) => example.start) },
      activation: { type: 'float32', values: rows.map(({ example }) => example.activation) },
      tokens: { type: 'list<string>', values: rows.map(({ example }) => tokensOf(example).map(tokenText)) },
      token_ids: { type: 'list<int32>', values: rows.map(({ example }) => tokensOf(example)) },
      activations: { type: 'list<float32>', values: rows.map(({ example }) => [...example.activations]) },
    },
    { rowGroupRows: exampleGroupRows, schema: labelsSchema },
  )
}

/**
 * The records as JSON lines. Readers that guess types from the first lines guess right: lines that show what a field may
 * hold come before all others, and the others are by latent.
 */
export function jsonLines(features: readonly Feature[]): string {
  const { telling, rest } = byTelling(features)
  return [...telling, ...rest].map(feature => `${JSON.stringify({ schema: labelsSchema, ...feature })}\n`).join('')
}

/** Features that are the first to show a field's type, in order, and all others. */
function byTelling(features: readonly Feature[]): { telling: Feature[]; rest: Feature[] } {
  const seen = new Set<string>()
  const telling: Feature[] = []
  const rest: Feature[] = []
  for (const feature of features) {
    const known = seen.size
    for (const type of typesOf(feature, '')) seen.add(type)
    if (seen.size > known) telling.push(feature)
    else rest.push(feature)
  }
  return { telling, rest }
}

/** The types that a value shows, by path: `evidence.p fraction`; a missing value shows none. */
function typesOf(value: unknown, path: string): string[] {
  if (value === null) return []
  if (Array.isArray(value)) return value.flatMap(item => typesOf(item, `${path}[]`))
  if (typeof value === 'object') return Object.entries(value).flatMap(([key, part]) => typesOf(part, `${path}.${key}`))
  return [`${path} ${typeof value === 'number' && !Number.isInteger(value) ? 'fraction' : typeof value}`]
}

/** Writes features.jsonl: one JSON object a line, the record of `Feature` with its schema. */
export async function writeJsonLines(path: string, features: readonly Feature[]): Promise<void> {
  await writeAtomic(path, jsonLines(features))
}

/** Broken lines that a message names one by one. */
const mostNamed = 3

/**
 * Reads features.jsonl of a label run, by latent. A missing file is a `UserError`, and so is one with lines that are no
 * records of this version, of which it names the first few.
 */
export async function readFeatures(directory: string): Promise<Feature[]> {
  const path = join(directory, 'features.jsonl')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw readError(path, 'label file', error)
  }
  const features: Feature[] = []
  const problems: string[] = []
  const lineOf = new Map<number, number>()
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return
    const found = readLine(line)
    if (typeof found === 'string') problems.push(`line ${index + 1} ${found}`)
    else if (lineOf.has(found.latent))
      problems.push(`line ${index + 1} is about latent ${found.latent} again, after line ${lineOf.get(found.latent)}`)
    else {
      lineOf.set(found.latent, index + 1)
      features.push(found)
    }
  })
  if (problems.length > 0)
    throw new UserError(
      `${path}: ${problems.slice(0, mostNamed).join('; ')}${problems.length > mostNamed ? `; and so on, ${problems.length} lines in all` : ''}.`,
      { fix: 'Label the SAE again, or read the file with the version that wrote it.' },
    )
  return features.sort((a, b) => a.latent - b.latent)
}

/** The record that a line holds, or what is wrong with it. */
function readLine(line: string): Feature | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    return `is not JSON (${messageOf(error).replace(/[\p{C}\p{Z}]+/gu, ' ')})`
  }
  const Head = z.looseObject({ schema: z.unknown() })
  const head = Head.safeParse(value)
  if (!head.success) return 'is no record'
  const { schema, ...record } = head.data
  if (schema !== labelsSchema)
    return `has schema ${JSON.stringify(schema) ?? 'none'}, but this version reads ${labelsSchema}`
  const result = Feature.safeParse(record)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  return `is wrong at ${issue.path.join('.') || 'its top'}: ${issue.message.replace(/[\p{C}\p{Z}]+/gu, ' ')}`
}
