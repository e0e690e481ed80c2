/** effects.parquet: a row per feature, intervention, dose, control and window, with the document it is of; millions, for many latents. */
import { join } from 'node:path'
import { UserError } from '../core/errors.ts'
import { openTableWriter } from '../datasets/table-writer.ts'
import { scanTable } from '../datasets/tables.ts'
import { compactEffects, Effects, packEffects } from './effects.ts'
import { effectsSchema } from './evidence.ts'
import type { EffectRow } from './rows.ts'
import { columnsOf, measuredColumns, nameOf } from './tables.ts'

const fileName = 'effects.parquet'

const columns = { feature: 'int32', ...measuredColumns } as const

/** Writes the table latent by latent, since all of them as rows are too many to hold. */
export async function writeEffects(directory: string, latents: Iterable<readonly EffectRow[]>): Promise<void> {
  const writer = openTableWriter(join(directory, fileName), { schema: effectsSchema })
  try {
    // A piece without rows says which columns there are.
    await writer.push(columnsOf(columns, []))
    for (const rows of latents) if (rows.length > 0) await writer.push(columnsOf(columns, rows))
  } catch (error) {
    await writer.abandon()
    throw error
  }
  await writer.close()
}

/** Reads the table back; throws a `UserError` for one that has other columns, or NaN. */
export async function readEffects(directory: string): Promise<Effects> {
  const path = join(directory, fileName)
  const keys = Object.keys(columns) as (keyof typeof columns)[]
  const effects = new Effects()
  let own: EffectRow[] = []
  const keep = () => {
    if (own.length > 0) effects.add(own[0]!.feature, compactEffects(packEffects(own)))
    own = []
  }
  await scanTable(path, { schema: effectsSchema, columns: keys.map(nameOf) }, batch => {
    const vectors = keys.map(key => [key, batch.getChild(nameOf(key))!] as const)
    for (let i = 0; i < batch.numRows; i++) {
      const row = Object.fromEntries(vectors.map(([key, vector]) => [key, vector.get(i)])) as unknown as EffectRow
      // In memory NaN stands for a value that is missing.
      for (const key of ['norm', 'target', 'loss', 'kl'] as const)
        if (Number.isNaN(row[key]))
          throw new UserError(`The table ${path} holds NaN in ${nameOf(key)}; a missing value is null.`, {
            fix: 'Make it again.',
          })
      if (own.length > 0 && own[0]!.feature !== row.feature) keep()
      own.push(row)
    }
  })
  keep()
  return effects
}
