/** What an SAE remembers of the capture it was trained on. */

import { hashValue } from '../../core/hash.ts'
import type { SaeMetadata } from '../sae.ts'
import type { ActivationSource } from './rows.ts'

/** A source of rows, with the manifest of the capture where there is one (`capture.json`). */
export interface TrainingCapture extends ActivationSource {
  readonly manifest?: unknown
}

type Json = Record<string, unknown>

/** The capture's model, text and hashes under SAELens's names where it has them. */
export function describeCapture(capture: TrainingCapture): SaeMetadata {
  const manifest = (capture.manifest ?? {}) as Json
  const model = part(manifest.model)
  const dataset = part(manifest.dataset)
  return {
    hook_name: '',
    ...defined({
      model_name: model.name,
      model_hash: model.hash,
      dataset_path: dataset.name,
      dataset_hash: dataset.hash,
      tokenizer_hash: part(manifest.tokenizer).hash,
      context_size: dataset.context,
      prepend_bos: dataset.bos,
      weight_processing: manifest.weight_processing,
      capture_seed: manifest.seed,
      capture_hash: capture.manifest === undefined ? undefined : hashValue(manifest),
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
