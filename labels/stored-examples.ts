/** The examples of a label run, read latent by latent, so that no more than a few row groups are in memory. */
import { join } from 'node:path'
import { readTable, readTableInfo } from '../datasets/tables.ts'
import { labelsSchema } from './feature.ts'
import type { StoredExample } from './tables.ts'

/** Row groups that are read at once. */
const groupsAtOnce = 16

/** Every latent that has examples, ascending, with all of them. */
export async function* storedExamples(directory: string): AsyncGenerator<readonly [number, StoredExample[]]> {
  const path = join(directory, 'examples.parquet')
  const { rowGroups } = await readTableInfo(path)
  let open: [number, StoredExample[]] | undefined
  for (let first = 0; first < rowGroups.length; first += groupsAtOnce) {
    const wanted = rowGroups.slice(first, first + groupsAtOnce).map((_, i) => first + i)
    const table = await readTable(path, { rowGroups: wanted, schema: labelsSchema })
    for (let row = 0; row < table.latent!.length; row++) {
      const latent = table.latent![row] as number
      if (open && open[0] !== latent) yield open
      if (open?.[0] !== latent) open = [latent, []]
      open[1].push(exampleAt(table, row))
    }
  }
  if (open) yield open
}

function exampleAt(table: Readonly<Record<string, readonly unknown[]>>, row: number): StoredExample {
  const at = <T>(name: string) => table[name]![row] as T
  return {
    ...{ group: at<string>('group'), rank: at<number>('rank'), window: at<string>('window') },
    ...{ position: at<number>('position'), start: at<number>('start'), activation: at<number>('activation') },
    ...{ low: at<number | null>('band_low'), high: at<number | null>('band_high') },
    share: at<number | null>('band_share'),
    tokens: at<string[]>('tokens'),
    activations: at<number[]>('activations'),
  }
}
