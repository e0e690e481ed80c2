/** Our own records as JSON lines: every field that there is. */

import type { Feature } from '../feature.ts'
import { jsonLines, readFeatureFile } from '../files.ts'
import { conceptOf, type ImportedLabels, type LabelFormat } from './format.ts'

export const jsonl: LabelFormat = {
  name: 'jsonl',
  about: 'our records, a JSON object a line',
  ending: '.jsonl',
  keys: [],
  async *write({ features }) {
    yield { path: '', data: jsonLines(features) }
  },
  read: async path => labelsOf(await readFeatureFile(path)),
}

/** The labels of records, and the SAE that they are about. */
export function labelsOf(features: readonly Feature[]): ImportedLabels {
  return {
    labels: features.flatMap(feature =>
      feature.label === null
        ? []
        : [{ latent: feature.latent, label: feature.label, concept: conceptOf(feature), sae: feature.hashes.sae }],
    ),
    saeHashes: new Set(features.map(({ hashes }) => hashes.sae)),
    vectors: new Map(),
  }
}
