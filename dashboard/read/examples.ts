/** Examples of a label run, read from examples.parquet by row groups: only those that hold a latent asked for, and of them its rows. */
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { plainValue, readArrow, readTableInfo, scanTable } from '../../datasets/tables.ts'
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

/** Where the examples of each latent are: runs of rows of one latent, in the table's order. */
export interface ExamplePlaces {
  readonly latents: Int32Array
  /** The first row of each run, and behind the last one the number of rows. */
  readonly starts: Int32Array
  /** Rows of each row group. */
  readonly rowGroups: readonly number[]
}

/** The examples of each latent asked for, in the table's order. Latents without examples are left out. */
export async function readExamples(
  directory: string,
  latents: ReadonlySet<number>,
  known?: ExamplePlaces,
): Promise<Map<number, ShownExample[]>> {
  const path = join(directory, 'examples.parquet')
  const byLatent = new Map<number, ShownExample[]>()
  const places = known ?? (await examplePlaces(path))
  for (const { group, offset, limit, first } of partsOf(places, latents)) {
    const part = { columns, rowGroups: [group], offset, limit, schema: labelsSchema, again: true }
    const rows = await readArrow(path, part)
    const own = rows.getChild('latent')!
    for (let i = 0; i < rows.numRows; i++) {
      // Plain values are made of the rows that are meant alone: there may be others between them.
      if (!latents.has(own.get(i))) continue
      const { latent, ...example } = parse(
        path,
        first + i,
        Object.fromEntries(columns.map(name => [name, plainValue(rows.getChild(name)!.get(i))])),
      )
      const list = byLatent.get(latent)
      if (list) list.push(example)
      else byLatent.set(latent, [example])
    }
  }
  return byLatent
}

/** For each row group that holds a latent asked for the rows from the first to the last such one. */
function partsOf({ latents: all, starts, rowGroups }: ExamplePlaces, wanted: ReadonlySet<number>) {
  const spans: [from: number, to: number][] = []
  for (const [i, latent] of all.entries()) if (wanted.has(latent)) spans.push([starts[i]!, starts[i + 1]!])
  const parts: { group: number; offset: number; limit: number; first: number }[] = []
  let begin = 0
  for (const [group, size] of rowGroups.entries()) {
    const end = begin + size
    const own = spans.filter(([from, to]) => from < end && to > begin)
    if (own.length > 0) {
      const first = Math.max(begin, own[0]![0])
      parts.push({ group, offset: first - begin, limit: Math.min(end, own.at(-1)![1]) - first, first })
    }
    begin = end
  }
  return parts
}

/** Where each latent's examples are: one column says so. */
export async function examplePlaces(path: string): Promise<ExamplePlaces> {
  const { rowGroups } = await readTableInfo(path)
  const latents: number[] = []
  const starts: number[] = []
  let row = 0
  await scanTable(path, { columns: ['latent'], schema: labelsSchema }, batch => {
    for (const latent of batch.getChild('latent')! as Iterable<number>) {
      if (latents.length === 0 || latents.at(-1) !== latent) {
        latents.push(latent)
        starts.push(row)
      }
      row++
    }
  })
  return { latents: Int32Array.from(latents), starts: Int32Array.from([...starts, row]), rowGroups }
}

function parse(path: string, row: number, value: unknown): z.infer<typeof Example> {
  const result = Example.safeParse(value)
  if (result.success) return result.data
  const { path: where, message } = result.error.issues[0]!
  throw new UserError(`${path} is wrong at row ${row}, ${where.join('.')}: ${message}.`, {
    fix: 'Label the SAE again.',
  })
}
