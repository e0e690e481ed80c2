/** Captures made of given rows, without a model, for tests and benchmarks of what reads them. */
import { join } from 'node:path'
import { writeAtomic, writeJson } from '../../core/files.ts'
import { sha256 } from '../../core/hash.ts'
import { floatsToHalves } from '../../engine/ops/halves.ts'
import { DatasetConfig } from '../config.ts'
import { type CaptureManifest, encodeShard, type ShardColumns } from './index.ts'

export type Dtype = CaptureManifest['dtype']

/** The bytes of a shard's file. */
export async function shardBytes(columns: ShardColumns, batchRows: number): Promise<Buffer> {
  return Buffer.concat(await encodeShard(columns, batchRows))
}

/** Columns of one site's rows [rows, width] that are all of one window, token and stratum, with weight 1. */
export function columnsOfSite(name: string, width: number, values: Float32Array, dtype: Dtype): ShardColumns {
  const rows = values.length / width
  return {
    document: new Uint32Array(rows),
    position: new Uint16Array(rows),
    token: new Int32Array(rows),
    stratum: new Uint16Array(rows),
    weight: new Float32Array(rows).fill(1),
    sites: [{ name, width, values: dtype === 'float16' ? floatsToHalves(values) : values }],
  }
}

/** Writes a capture whose shards hold these columns, which are asked for one after the other. */
export async function writeMadeCapture(
  directory: string,
  shards: Iterable<ShardColumns> | AsyncIterable<ShardColumns>,
  { batchRows, dtype = 'float32' }: { readonly batchRows: number; readonly dtype?: Dtype },
): Promise<void> {
  const records: CaptureManifest['shards'] = []
  let sites: CaptureManifest['sites'] = []
  for await (const columns of shards) {
    const bytes = await shardBytes(columns, batchRows)
    const file = `shard-${records.length}.arrow`
    await writeAtomic(join(directory, file), bytes)
    records.push({
      file,
      rows: columns.document.length,
      bytes: bytes.length,
      sha256: sha256(bytes),
      windows: [records.length, records.length + 1],
    })
    const statistics = { mean: [], variance: [], populationMean: [], norm: 0, rounding: null }
    sites = columns.sites.map(({ name, width }) => ({ name, width, statistics }))
  }
  const rows = records.reduce((sum, record) => sum + record.rows, 0)
  const manifest: CaptureManifest = {
    ...{ schema: 3, weight_processing: 'none', seed: 0, format: 'arrow', dtype, rows, batchRows, sites },
    model: { name: 'model', hash: '', family: 'gpt2' },
    tokenizer: { hash: '' },
    dataset: {
      ...{ name: '', hash: '', context: 8, bos: true, documents: 1, skipped: [], windows: { train: 1 } },
      config: DatasetConfig.parse({ path: 'x' }),
    },
    sampling: {
      ...{
        fields: [],
        allocation: 'proportional',
        tokens: null,
        pilot: null,
        excludePositions: [0],
        excludeTokens: [],
      },
      ...{ positionBands: [], frequencyBands: [], population: rows, strata: [] },
    },
    ...{ audit: null, shards: records, windows: null },
  }
  await writeJson(join(directory, 'capture.json'), manifest)
}
