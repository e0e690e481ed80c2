/** A label run: its features as a table, which of them are meant, and what was joined to it. */
import { NotThereError } from '../../core/errors.ts'
import { scanTable } from '../../datasets/tables.ts'
import { labelsSchema } from '../../labels/feature.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { type FeatureEvidence, readEvidence } from '../../validation/evidence.ts'
import { examplePlaces, readExamples, type ShownExample } from './examples.ts'
import type { Test } from './filter.ts'
import type { Runs } from './runs.ts'
import { type FoundLatents, firingIn, strongestAt } from './search.ts'
import { columnsFor, select } from './select.ts'
import type { Table } from './table.ts'

export const featuresFile = 'features.parquet'

/** Which features are meant. */
export interface Meant {
  readonly where: readonly string[]
  readonly label?: string | undefined
  readonly token?: string | undefined
  readonly text?: string | undefined
}

/** A label run and its features, of which nothing is read yet. */
export async function openLabelled(runs: Runs, id: string): Promise<{ run: FinishedRun; table: Table }> {
  const run = await runs.finished(id, 'label')
  return { run, table: await runs.table(run, featuresFile, labelsSchema, []) }
}

/** A label run and its features, with all columns but lists at hand. */
export async function labelled(runs: Runs, id: string): Promise<{ run: FinishedRun; table: Table }> {
  const { run, table } = await openLabelled(runs, id)
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
  await table.load(columnsFor(table, { where, sort }))
  const inExamples = (read: (path: string) => Promise<FoundLatents>, as: string) =>
    runs.kept(run, 'examples.parquet', read, as)
  const tests: Test[] = []
  if (label !== undefined) tests.push(contains(table, 'label', label))
  if (token !== undefined) {
    const { latents: strongest } = await inExamples(path => strongestAt(path, token), `at ${token}`)
    const lists = await holding(table, token)
    const latents = latentsOf(table)
    tests.push(row => strongest.has(latents[row]!) || lists.has(row))
  }
  if (text !== undefined) {
    const { latents: found } = await inExamples(path => firingIn(path, text), `in ${text}`)
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

/** Rows that have a token in a list: the lists are gone through a piece at a time, and are not kept. */
async function holding(table: Table, wanted: string): Promise<ReadonlySet<number>> {
  const found = new Set<number>()
  const columns = tokenColumns.filter(name => table.lists.includes(name))
  let start = 0
  await scanTable(table.path, { columns, schema: table.schema }, batch => {
    for (const name of columns) {
      const vector = batch.getChild(name)!
      for (let row = 0; row < batch.numRows; row++) {
        const list = vector.get(row) as Iterable<string | null> | null
        if (list) for (const one of list) if (one?.trim() === wanted.trim()) found.add(start + row)
      }
    }
    start += batch.numRows
  })
  return found
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

/** The examples of one latent. */
export async function examplesOf(runs: Runs, run: FinishedRun, latent: number): Promise<ShownExample[]> {
  const places = await runs.kept(run, 'examples.parquet', examplePlaces, 'places')
  return (await readExamples(run.directory, new Set([latent]), places)).get(latent) ?? []
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
