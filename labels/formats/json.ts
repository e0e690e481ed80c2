/** Our own records as one JSON object: `schema` and `features`. */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import { readJson } from '../../core/files.ts'
import { Feature, labelsSchema } from '../feature.ts'
import type { LabelFormat } from './format.ts'
import { labelsOf } from './jsonl.ts'

const Whole = z.strictObject({ schema: z.literal(labelsSchema), features: z.array(Feature) })

export const json: LabelFormat = {
  name: 'json',
  about: 'our records, one JSON object',
  ending: '.json',
  keys: [],
  async *write({ features }) {
    yield { path: '', data: `${JSON.stringify({ schema: labelsSchema, features }, null, 2)}\n` }
  },
  read: async path =>
    labelsOf(parseConfig(Whole, await readJson(path, 'label file'), `the label file ${path}`).features),
}
