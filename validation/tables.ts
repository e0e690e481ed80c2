/** The tables beside evidence.json: effects.parquet and selectivity.parquet. */
import { join } from 'node:path'
import { readTable, writeTable } from '../datasets/tables.ts'
import type { EffectRow, SelectivityRow } from './rows.ts'

/** Version of effects.parquet; readers refuse others. */
const effectsSchema = 2

const effectColumns = {
  feature: 'int32',
  intervention: 'string',
  dose: 'float64',
  control: 'string',
  controlId: 'int32',
  document: 'string',
  window: 'string',
  positions: 'int32',
  norm: 'float64',
  target: 'float64',
  loss: 'float64',
  kl: 'float64',
} as const

/** Parquet names: words joined by underscores, as in other tables. */
const nameOf = (key: string) => (key === 'controlId' ? 'control_id' : key)

/** Writes effects.parquet: a row per feature, intervention, dose, control and window, with the document it is of. */
export async function writeEffects(directory: string, rows: readonly EffectRow[]): Promise<void> {
  const columns = Object.entries(effectColumns).map(([key, type]) => [
    nameOf(key),
    { type, values: rows.map(row => row[key as keyof EffectRow]), nullable: key === 'controlId' },
  ])
  await writeTable(join(directory, 'effects.parquet'), Object.fromEntries(columns), { schema: effectsSchema })
}

/** Reads effects.parquet back. */
export async function readEffects(directory: string): Promise<EffectRow[]> {
  const table = await readTable(join(directory, 'effects.parquet'), { schema: effectsSchema })
  const keys = Object.keys(effectColumns)
  return (table.feature ?? []).map(
    (_, i) => Object.fromEntries(keys.map(key => [key, table[nameOf(key)]![i]])) as unknown as EffectRow,
  )
}

/** Writes selectivity.parquet: a row per feature and validation window, with active positions and labelled positions. */
export async function writeSelectivity(directory: string, rows: readonly SelectivityRow[]): Promise<void> {
  await writeTable(join(directory, 'selectivity.parquet'), {
    feature: { type: 'int32', values: rows.map(row => row.feature) },
    document: { type: 'string', values: rows.map(row => row.document) },
    window: { type: 'string', values: rows.map(row => row.window) },
    tokens: { type: 'int32', values: rows.map(row => row.tokens) },
    positions: { type: 'list<int32>', values: rows.map(row => row.positions) },
    activations: { type: 'list<float32>', values: rows.map(row => row.activations) },
    labelled: { type: 'list<int32>', values: rows.map(row => row.labelled) },
  })
}

/** Reads selectivity.parquet back. */
export async function readSelectivity(directory: string): Promise<SelectivityRow[]> {
  const table = await readTable(join(directory, 'selectivity.parquet'))
  const list = (value: unknown) => Array.from(value as ArrayLike<number>)
  return (table.feature ?? []).map((feature, i) => ({
    feature: feature as number,
    document: table.document![i] as string,
    window: table.window![i] as string,
    tokens: table.tokens![i] as number,
    positions: list(table.positions![i]),
    activations: list(table.activations![i]),
    labelled: list(table.labelled![i]),
  }))
}
