/** The fields by which documents may be told apart. */
import { paced } from '../core/pace.ts'
import type { PassStep } from '../core/passes.ts'
import type { TokenDataset } from './document.ts'

/** The strata fields that any document has, sorted; `stop` as of `paced`. */
export async function fieldsOf({ documents }: Pick<TokenDataset, 'documents'>, stop?: PassStep): Promise<string[]> {
  const fields = new Set<string>()
  for await (const { strata } of paced(documents, stop)) for (const field of Object.keys(strata)) fields.add(field)
  return [...fields].sort()
}
