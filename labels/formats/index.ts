/** Every form of labels for other tools. */
import { csv } from './csv.ts'
import { delphi } from './delphi.ts'
import type { LabelFormat } from './format.ts'
import { huggingface } from './huggingface.ts'
import { json } from './json.ts'
import { jsonl } from './jsonl.ts'
import { neuronpedia } from './neuronpedia.ts'
import { parquet } from './parquet.ts'
import { saebench } from './saebench.ts'
import { saedashboard } from './saedashboard.ts'

export const labelFormats = {
  ...{ jsonl, json, csv, parquet, huggingface },
  ...{ neuronpedia, saedashboard, delphi, saebench },
} as const satisfies Readonly<Record<string, LabelFormat>>

export type LabelFormatName = keyof typeof labelFormats
export const labelFormatNames = Object.keys(labelFormats) as [LabelFormatName, ...LabelFormatName[]]
