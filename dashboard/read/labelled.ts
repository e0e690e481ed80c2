/** A label run: its features as a table, which of them are meant, and what was joined to it. */
import { NotThereError } from '../../core/errors.ts'
import { labelsSchema } from '../../labels/feature.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { type FeatureEvidence, readEvidence } from '../../validation/evidence.ts'
import { type ExampleGroups, exampleGroups, readExamples, type ShownExample } from './examples.ts'
import type { Test } from './filter.ts'
import type { Runs } from './runs.ts'
import { select } from './select.ts'
import type { Table } from './table.ts'

export const featuresFile = 'features.parquet'

/** Which features are meant. */
export interface Meant {
  readonly where: readonly string[]
  readonly label?: string | undefined
  readonly token?: string | undefined
  readonly text?: string | undefined
}

/** A label run and its features. */
export async function labelled(runs: Runs, id: string): Promise<{ run: FinishedRun; table: Table }> {
  const run = await runs.finished(id, 'label')
  const table = await runs.table(run, featuresFile, labelsSchema, [])
  return { run, table: await table.load(table.scalars) }
}

/** Columns in which a token is looked for. */
const tokenColumns = ['rule_tokens', 'promoted_tokens', 'suppressed_tokens', 'tokens', 'previous_tokens']

/** Rows that are meant, in the order asked for. */
export async function meantRows(
  runs: Runs,
  { run, table }: { run: FinishedRun; table: Table },
  { where, label, token, text }: Meant,
  sort?: string,
): Promise<Int32Array> {
  // Lists are read where they are asked about.
  const texts = [...where, sort ?? '']
  await table.load(table.lists.filter(name => texts.some(text => text.includes(name))))
  const tests: Test[] = []
  if (label !== undefined) tests.push(contains(table, 'label', label))
  if (token !== undefined) {
    const peaks = await runs.kept(run, 'examples.parquet', readPeaks, 'peaks')
    const names = tokenColumns.filter(name => table.lists.includes(name))
    await table.load(names)
    const lists = names.map(name => listHolds(table, name, token))
    const strongest = peaks.get(token)
    const latents = latentsOf(table)
    tests.push(row => (strongest?.has(latents[row]!) ?? false) || lists.some(holds => holds(row)))
  }
  if (text !== undefined) {
    const examples = await runs.kept(run, 'examples.parquet', readTexts, 'texts')
    const wanted = text.toLowerCase()
    const found = new Set<number>()
    for (const [latent, own] of examples) if (own.some(one => one.includes(wanted))) found.add(latent)
    const latents = latentsOf(table)
    tests.push(row => found.has(latents[row]!))
  }
  return select(table, { where, tests, sort })
}

function contains(table: Table, name: string, wanted: string): Test {
  const column = table.column(name)
  const lower = wanted.toLowerCase()
  return row => column.kind === 'text' && (column.text(row)?.toLowerCase().includes(lower) ?? false)
}

function listHolds(table: Table, name: string, wanted: string): Test {
  const vector = table.vector(name)
  return row => {
    const list = vector.get(row) as Iterable<unknown> | null
    if (list)
      for (const one of list)
        if (one === wanted || (typeof one === 'string' && one.trim() === wanted.trim())) return true
    return false
  }
}

/** Latents by row. */
export function latentsOf(table: Table): Float64Array {
  const column = table.column('latent')
  if (column.kind !== 'number') throw new Error('The column latent holds numbers.')
  return column.values
}

/** The row of a latent; a `NotThereError` where the run has none of this number. */
export function rowOfLatent(table: Table, run: FinishedRun, latent: string): number {
  const wanted = /^\d{1,9}$/.test(latent) ? Number(latent) : -1
  const row = latentsOf(table).indexOf(wanted)
  if (row < 0)
    throw new NotThereError(`The run ${run.manifest.id} has no latent ${JSON.stringify(latent)}.`, {
      fix: `Latents are whole numbers; it has ${table.rows} of them.`,
    })
  return row
}

/** Which latents have an example that is strongest at a token, by the token's text. */
async function readPeaks(path: string): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const peaks = new Map<string, Set<number>>()
  await eachExample(path, (latent, { tokens, position, start, group }) => {
    const token = group.startsWith('silent') ? undefined : tokens[position - start]
    if (token === undefined) return
    for (const form of new Set([token, token.trim()])) {
      const latents = peaks.get(form) ?? new Set()
      peaks.set(form, latents.add(latent))
    }
  })
  return peaks
}

/** The texts of each latent's examples in which it fires, in small letters. */
async function readTexts(path: string): Promise<ReadonlyMap<number, readonly string[]>> {
  const texts = new Map<number, string[]>()
  await eachExample(path, (latent, { tokens, group }) => {
    if (group.startsWith('silent')) return
    const list = texts.get(latent) ?? []
    list.push(tokens.join('').toLowerCase())
    texts.set(latent, list)
  })
  return texts
}

async function eachExample(path: string, take: (latent: number, example: ShownExample) => void): Promise<void> {
  const groups = await exampleGroups(path)
  const directory = path.slice(0, -'/examples.parquet'.length)
  for (const [latent, examples] of await readExamples(directory, new Set(groups.keys()), groups))
    for (const example of examples) take(latent, example)
}

/** The examples of one latent. */
export async function examplesOf(runs: Runs, run: FinishedRun, latent: number): Promise<ShownExample[]> {
  const groups = await runs.kept<ExampleGroups>(run, 'examples.parquet', exampleGroups, 'groups')
  return (await readExamples(run.directory, new Set([latent]), groups)).get(latent) ?? []
}

/** The validate run whose evidence was joined to the labels, and what it says of a latent; null where there is none. */
export async function evidenceOfLatent(
  runs: Runs,
  { manifest }: FinishedRun,
  latent: number,
): Promise<{ run: FinishedRun; evidence: FeatureEvidence } | null> {
  const input = manifest.inputs.find(({ role }) => role === 'evidence')
  if (input?.run === undefined) return null
  const run = await runs.finished(input.run, 'validate')
  const { features } = await runs.kept(run, 'evidence.json', readEvidence)
  const evidence = features.find(({ claim }) => claim.feature === latent)
  return evidence ? { run, evidence } : null
}
