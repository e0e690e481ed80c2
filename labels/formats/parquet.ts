/** Our own records as a Parquet table, a row a feature: features.parquet of the selected ones. */
import { encodeTable, readTable } from '../../datasets/tables.ts'
import { labelsSchema } from '../feature.ts'
import { featureColumns } from '../tables.ts'
import type { ImportedLabels, LabelFormat } from './format.ts'

export const parquet: LabelFormat = {
  name: 'parquet',
  about: 'our records, a Parquet table',
  ending: '.parquet',
  keys: [],
  async *write({ features }) {
    yield { path: '', data: encodeTable(featureColumns(features), { schema: labelsSchema }) }
  },
  read: readTableLabels,
}

/** The labels of a table of ours. */
export async function readTableLabels(path: string): Promise<ImportedLabels> {
  const columns = ['latent', 'label', 'label_kind', 'rule_concept', 'sae_hash'] as const
  const table = await readTable(path, { columns, schema: labelsSchema })
  const rows = table.latent!.map((latent, i) => ({
    latent: latent as number,
    label: table.label![i] as string | null,
    concept: table.label_kind![i] === 'concept' ? (table.rule_concept![i] as string | null) : null,
    sae: table.sae_hash![i] as string,
  }))
  return {
    labels: rows.flatMap(row => (row.label === null ? [] : [{ ...row, label: row.label }])),
    saeHashes: new Set(table.sae_hash as string[]),
    vectors: new Map(),
  }
}
