/** Documents of a Parquet file: a row each, with the same columns as the fields of a JSONL line; some rows at a time. */
import { rowBatchesOf } from '../parquet-groups.ts'
import { documentOf, type JsonlFields, type Line } from './jsonl.ts'
import { DocumentProblem } from './skipped.ts'

/** Columns besides those that the settings name. */
const known = ['tokens', 'concepts', 'token_concepts']

/** The document of each row. Throws a `UserError` where the file is no Parquet or is damaged. */
export async function* parquetDocuments(
  path: string,
  name: string,
  fields: JsonlFields,
  strata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Line> {
  const wanted = [...new Set([fields.textField, fields.idField, ...fields.strataFields, ...known])]
  let row = 0
  for await (const columns of rowBatchesOf(path, wanted, fields.strataFields, [fields.textField, 'tokens'])) {
    const names = Object.keys(columns)
    const length = columns[names[0] ?? '']?.length ?? 0
    for (let i = 0; i < length; i++) {
      row++
      const place = { file: path, line: row }
      // A missing value is an absent field, as in a line that leaves it out.
      const record = Object.fromEntries(
        names.flatMap(key => (columns[key]![i] === null ? [] : [[key, columns[key]![i]]])),
      )
      try {
        yield { place, document: documentOf(record, { place, name: `${name}-${row}` }, fields, strata) }
      } catch (error) {
        if (!(error instanceof DocumentProblem)) throw error
        yield { place, document: error }
      }
    }
  }
}
