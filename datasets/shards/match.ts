/** Holds a shard's layout to what `capture.json` says of it: rows, batches, and each column's name, type and width. */
import { UserError } from '../../core/errors.ts'
import type { ColumnLayout } from './layout.ts'
import type { CaptureManifest, ShardRecord } from './manifest.ts'
import type { Shard } from './shard.ts'

type ColumnType = Pick<ColumnLayout, 'name' | 'type' | 'width'>

/** The columns beside the sites. */
const besides: readonly ColumnType[] = [
  { name: 'document', type: 'uint32', width: 1 },
  { name: 'position', type: 'uint16', width: 1 },
  { name: 'token', type: 'int32', width: 1 },
  { name: 'stratum', type: 'uint16', width: 1 },
  { name: 'weight', type: 'float32', width: 1 },
]

/** Throws a `UserError` that names the first difference. */
export function mustMatch({ path, layout }: Shard, manifest: CaptureManifest, record: ShardRecord): void {
  const differs = (what: string) =>
    new UserError(`The shard ${path} ${what}.`, { fix: 'Capture again, or copy the shard anew.' })
  if (layout.rows !== record.rows) throw differs(`has ${layout.rows} rows, but capture.json says ${record.rows}`)
  const sites = manifest.sites.map(({ name, width }): ColumnType => ({ name, type: manifest.dtype, width }))
  const expected = [...besides, ...sites]
  if (layout.columns.length !== expected.length)
    throw differs(`has ${layout.columns.length} columns, but capture.json says ${expected.length}`)
  for (const [i, { name, type, width }] of expected.entries()) {
    const found = layout.columns[i]!
    if (found.name !== name || found.type !== type || found.width !== width)
      throw differs(
        `has the column ${found.name} of ${found.width} ${found.type}, but capture.json says ${name} of ${width} ${type}`,
      )
  }
  const { starts } = layout
  for (let batch = 0; batch + 2 < starts.length; batch++) {
    const rows = starts[batch + 1]! - starts[batch]!
    if (rows !== manifest.batchRows)
      throw differs(`has a batch of ${rows} rows, but capture.json says ${manifest.batchRows}`)
  }
}
