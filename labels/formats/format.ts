/** What a form is that labels are handed to other tools in, and taken back from. */
import type { z } from 'zod'
import type { Answers } from '../answers.ts'
import { Feature } from '../feature.ts'
import type { StoredExample } from '../tables.ts'

/** What is handed on: the selected features of a label run, and what there is beside them. */
export interface LabelSource {
  readonly features: readonly Feature[]
  readonly about: LabelsAbout
  /** Latents that were selected and have examples, ascending. */
  examples(): AsyncIterable<readonly [number, readonly StoredExample[]]>
  /** A latent's decoder row; undefined where the SAE is not at hand. */
  readonly vector: ((latent: number) => Float32Array) | undefined
  /** Single answers of language models; empty where none was asked. */
  answers(): Promise<Answers>
}

/** What tools want to know of the SAE, model and text. */
export interface LabelsAbout {
  /** Id of the label run, and its seed. */
  readonly run: string
  readonly seed: number
  /** The model's name, its blocks and the width of its MLPs. */
  readonly model: string
  readonly layers: number
  readonly neurons: number
  /** The site the SAE reads, and the block it is in. */
  readonly site: string
  readonly layer: number
  /** Latents of the SAE, and what its set of SAEs is called. */
  readonly latents: number
  readonly set: string
  /** Name of the text, tokens read of it on both halves, and tokens of a window at most. */
  readonly dataset: string
  readonly tokens: number
  readonly context: number
  /** Who a Neuronpedia database says made it: the id of one of its users. */
  readonly creator: string
  /** When the label run was finished, in milliseconds since 1970. */
  readonly finished: number
  readonly saeConfig: Readonly<Record<string, unknown>>
}

/** A file of an export; of a form that is one file, `path` is empty. */
export interface ExportFile {
  readonly path: string
  readonly data: string | Uint8Array
}

/** A label that was read. */
export interface ImportedLabel {
  readonly latent: number
  readonly label: string
  /** The labelled concept that it names, where the file says so. */
  readonly concept: string | null
  /** Content hash of the SAE that the file says its latent is of; null where it does not say. */
  readonly sae: string | null
}

/** What a place of a form holds. */
export interface ImportedLabels {
  readonly labels: readonly ImportedLabel[]
  /** Content hashes of the SAEs that it says any of its records are about. */
  readonly saeHashes: ReadonlySet<string>
  /** Decoder rows that it holds, by latent. */
  readonly vectors: ReadonlyMap<number, readonly number[]>
}

/** A form, one a file. */
export interface LabelFormat {
  readonly name: string
  /** Half a sentence on whose it is. */
  readonly about: string
  /** Ending of the file that it is, or undefined for a folder. */
  readonly ending: string | undefined
  /** Keys that are asked for in this form alone. */
  readonly keys: readonly ('set' | 'creator')[]
  /** Its files. Throws a `UserError` for what the form cannot hold. */
  write(source: LabelSource): AsyncGenerator<ExportFile>
  /** Reads the file or folder back. Throws a `UserError` for what is not of the form. */
  read(path: string): Promise<ImportedLabels>
}

/** The part of a record that other tools have no place for: it stands beside their files, in `causal.jsonl`. */
export const CausalRecord = Feature.pick({
  ...{ latent: true, label: true, labelKind: true, labelSource: true, labelScoreName: true, labelScore: true },
  ...{ labelScoreLow: true, labelScoreHigh: true, labelCoverage: true, rule: true, stability: true },
  ...{ evidence: true, hashes: true },
})
export type CausalRecord = z.infer<typeof CausalRecord>

/** The concept that a rule names. */
export const conceptOf = ({ labelKind, rule }: Pick<CausalRecord, 'labelKind' | 'rule'>): string | null =>
  labelKind === 'concept' ? (rule?.concept ?? null) : null

/** Latents in groups of `size` by index: group n holds n·size … (n + 1)·size − 1; groups without any are left out. */
export function* inBatches<T extends { readonly latent: number }>(
  items: readonly T[],
  size: number,
): Generator<readonly [number, readonly T[]]> {
  let from = 0
  while (from < items.length) {
    const batch = Math.floor(items[from]!.latent / size)
    let to = from
    while (to < items.length && Math.floor(items[to]!.latent / size) === batch) to++
    yield [batch, items.slice(from, to)]
    from = to
  }
}

/** Walks the examples beside the features: the examples of each latent asked for, in ascending order. */
export function examplesAlong(source: LabelSource): (latent: number) => Promise<readonly StoredExample[]> {
  const iterator = source.examples()[Symbol.asyncIterator]()
  let waiting: readonly [number, readonly StoredExample[]] | undefined
  let ended = false
  return async latent => {
    while (!ended && (waiting === undefined || waiting[0] < latent)) {
      const next = await iterator.next()
      if (next.done) ended = true
      else waiting = next.value
    }
    return waiting?.[0] === latent ? waiting[1] : []
  }
}

/** Middle of each bin, and its count. */
export function bars({ edges, counts }: Feature['histogram']): {
  readonly values: number[]
  readonly heights: number[]
} {
  return { values: counts.map((_, i) => (edges[i]! + edges[i + 1]!) / 2), heights: [...counts] }
}

/** Entries of a decoder row with the largest size: places, values, and their shares of the row's L1 norm. */
export function alignment(row: Float32Array | undefined): {
  readonly indices: number[]
  readonly values: number[]
  readonly l1: number[]
} {
  if (!row) return { indices: [], values: [], l1: [] }
  const norm = row.reduce((sum, value) => sum + Math.abs(value), 0)
  const indices = [...row.keys()].sort((a, b) => Math.abs(row[b]!) - Math.abs(row[a]!) || a - b).slice(0, 3)
  return {
    indices,
    values: indices.map(i => row[i]!),
    l1: indices.map(i => (norm > 0 ? Math.abs(row[i]!) / norm : 0)),
  }
}
