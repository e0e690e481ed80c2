/** A dataset of the Hugging Face hub: a card that names its two tables, features and examples, and the causal records. */
import { join } from 'node:path'
import { encodeTable } from '../../datasets/tables.ts'
import { labelsSchema } from '../feature.ts'
import { type ExampleRow, exampleColumns, exampleGroupRows, featureColumns, featureGroupRows } from '../tables.ts'
import { causalFile, causalLines } from './causal.ts'
import type { LabelFormat, LabelSource } from './format.ts'
import { readTableLabels } from './parquet.ts'

export const huggingface: LabelFormat = {
  name: 'huggingface',
  about: 'a dataset repository for the Hugging Face hub',
  ending: undefined,
  keys: [],
  async *write(source) {
    yield { path: 'README.md', data: card(source) }
    yield {
      path: 'data/features.parquet',
      data: encodeTable(featureColumns(source.features), { schema: labelsSchema, rowGroupRows: featureGroupRows }),
    }
    yield { path: 'data/examples.parquet', data: await examplesTable(source) }
    yield { path: causalFile, data: causalLines(source.features) }
  },
  read: folder => readTableLabels(join(folder, 'data', 'features.parquet')),
}

async function examplesTable(source: LabelSource): Promise<Uint8Array> {
  const rows: ExampleRow[] = []
  for await (const [latent, examples] of source.examples())
    for (const example of examples) rows.push({ latent, example })
  return encodeTable(exampleColumns(rows), { schema: labelsSchema, rowGroupRows: exampleGroupRows })
}

/** The card: its head tells the hub's viewer and `datasets.load_dataset` where each table is. */
function card({ about, features }: LabelSource): string {
  const tested = features.filter(({ evidence }) => evidence !== null).length
  return `---
configs:
  - config_name: features
    default: true
    data_files: data/features.parquet
  - config_name: examples
    data_files: data/examples.parquet
tags:
  - sparse-autoencoder
  - interpretability
---

# Features of a sparse autoencoder at ${about.site}

${features.length} of ${about.latents} latents, labelled on held-out text; ${tested} of them were put to a causal test.
\`features\` has a row a latent, with its label, the label's score and the share of activation it covers, and what the test
found; \`examples\` a row an example. \`causal.jsonl\` holds verdict, effect, interval, controls and hashes by themselves.
`
}
