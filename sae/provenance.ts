/** What an SAE remembers of the capture it was trained on. */

import type { ActivationSource } from './data.ts'
import type { SaeMetadata } from './sae.ts'

/** A source of rows, with the manifest of the capture where there is one (`capture.json`). */
export interface TrainingCapture extends ActivationSource {
  readonly manifest?: unknown
}

type Json = Record<string, unknown>

/** The capture's model, text and hashes under SAELens's names where it has them. Paths are left out. */
export function describeCapture(capture: TrainingCapture): SaeMetadata {
  const manifest = (capture.manifest ?? {}) as Json
  const model = part(manifest.model)
  const dataset = part(manifest.dataset)
  return {
    hook_name: '',
    ...defined({
      model_name: model.name,
      model_hash: model.hash ?? manifest.modelHash,
      dataset_path: dataset.name,
      dataset_hash: dataset.hash ?? manifest.datasetHash,
      tokenizer_hash: part(manifest.tokenizer).hash ?? manifest.tokenizerHash,
      context_size: manifest.context ?? dataset.context,
      prepend_bos: manifest.bos ?? dataset.bos,
    }),
    capture_rows: capture.rows,
  }
}

function part(value: unknown): Json {
  return value !== null && typeof value === 'object' ? (value as Json) : {}
}

function defined(record: Json): Json {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}
