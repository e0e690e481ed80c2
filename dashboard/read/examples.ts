/** Examples of a label run, read from examples.parquet by row groups: only those that hold a latent asked for. */
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { plainValue, readArrow, readTable, readTableInfo } from '../../datasets/tables.ts'
import { labelsSchema } from '../../labels/feature.ts'

/** One example as examples.parquet holds it. */
const Example = z.object({
  latent: z.int(),
  group: z.string(),
  window: z.string(),
  position: z.int(),
  start: z.int(),
  activation: z.number(),
  tokens: z.array(z.string()),
  activations: z.array(z.number()),
})
export type ShownExample = Omit<z.infer<typeof Example>, 'latent'>

const columns = ['latent', 'group', 'window', 'position', 'start', 'activation', 'tokens', 'activations'] as const

/** Which row groups of a table hold each latent. */
export type ExampleGroups = ReadonlyMap<number, readonly number[]>

/** The examples of each latent asked for, in the table's order. Latents without examples are left out. */
export async function readExamples(
  directory: string,
  latents: ReadonlySet<number>,
  known?: ExampleGroups,
): Promise<Map<number, ShownExample[]>> {
  const path = join(directory, 'examples.parquet')
  const byLatent = new Map<number, ShownExample[]>()
  const groups = known ?? (await exampleGroups(path))
  const wanted = [...new Set([...latents].flatMap(latent => groups.get(latent) ?? []))].sort((a, b) => a - b)
  for (const rowGroup of wanted) {
    const rows = await readArrow(path, { columns, rowGroups: [rowGroup], schema: labelsSchema })
    const own = rows.getChild('latent')!
    for (let i = 0; i < rows.numRows; i++) {
      // Plain values are made of the rows that are meant alone: a row group has hundreds of others.
      if (!latents.has(own.get(i))) continue
      const { latent, ...example } = parse(
        path,
        i,
        Object.fromEntries(columns.map(name => [name, plainValue(rows.getChild(name)!.get(i))])),
      )
      const list = byLatent.get(latent)
      if (list) list.push(example)
      else byLatent.set(latent, [example])
    }
  }
  return byLatent
}

/** Row groups by latent: one column says so. */
export async function exampleGroups(path: string): Promise<ExampleGroups> {
  const { rowGroups } = await readTableInfo(path)
  const { latent } = await readTable(path, { columns: ['latent'], schema: labelsSchema })
  const found = new Map<number, number[]>()
  let start = 0
  rowGroups.forEach((rows, group) => {
    for (let row = start; row < start + rows; row++) {
      const list = found.get(latent![row] as number)
      if (!list) found.set(latent![row] as number, [group])
      else if (list.at(-1) !== group) list.push(group)
    }
    start += rows
  })
  return found
}

function parse(path: string, row: number, value: unknown): z.infer<typeof Example> {
  const result = Example.safeParse(value)
  if (result.success) return result.data
  const { path: where, message } = result.error.issues[0]!
  throw new UserError(`${path} is wrong at row ${row}, ${where.join('.')}: ${message}.`, {
    fix: 'Label the SAE again.',
  })
}
