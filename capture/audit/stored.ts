/** Reading the rows of a capture back, a shard at a time, before its manifest is there. */
import { join } from 'node:path'
import type { ShardRecord } from '../../datasets/shards/index.ts'
import { Shard } from '../../datasets/shards/shard.ts'
import { readTable } from '../../datasets/tables.ts'
import type { CapturedSite } from '../forward.ts'

/** What a stored shard holds. */
export interface StoredRows {
  readonly document: ArrayLike<number>
  readonly position: ArrayLike<number>
  readonly token: ArrayLike<number>
  readonly stratum: ArrayLike<number>
  /** Each site's rows [rows, width]. */
  readonly sites: readonly Float32Array[]
}

/** The rows of a shard, as they lie on disk; those of sites in `into`, arrays of this length or longer. */
export async function storedRows(
  directory: string,
  { file, rows }: Pick<ShardRecord, 'file' | 'rows'>,
  sites: readonly CapturedSite[],
  into: readonly Float32Array[],
): Promise<StoredRows> {
  const path = join(directory, file)
  if (file.endsWith('.parquet')) {
    const table = await readTable(path)
    const column = (name: string) => table[name] as number[]
    return {
      ...{ document: column('document'), position: column('position'), token: column('token') },
      stratum: column('stratum'),
      sites: sites.map(({ name }) => Float32Array.from((table[name] as number[][]).flat())),
    }
  }
  const shard = new Shard(path)
  try {
    const values = sites.map(({ width }, i) => into[i]!.subarray(0, rows * width))
    for (const [i, { name }] of sites.entries()) await shard.readRange(name, 0, rows, values[i]!)
    return {
      ...{ document: shard.values('document'), position: shard.values('position'), token: shard.values('token') },
      stratum: shard.values('stratum'),
      sites: values,
    }
  } finally {
    shard.close()
  }
}
