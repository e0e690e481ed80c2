/** Labelled examples of text: the values at the site and what the SAE makes of them, a row a token or a window. */
import type { Random } from '../../core/random.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import { onHost } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import { siteValues } from '../../latents/projections.ts'
import type { SparseLatents } from '../../sae/sae.ts'
import { stackSparse } from '../../sae/sparse.ts'
import { type ConceptLabels, conceptRows, labelWindows } from '../claims/concepts.ts'
import type { MeasureBench } from './measure.ts'

/** Rows that are encoded at once. */
const encodedRows = 4096

/** A split of the text: values [tokens, width] and latents of every token after position 0, and which concepts tokens carry. */
export interface Encoded {
  readonly windows: readonly TokenWindow[]
  readonly width: number
  readonly values: Float32Array
  readonly latents: SparseLatents
  readonly labels: ConceptLabels
}

/** Reads and encodes a split, and labels it with the concepts of the settings (default: all of the dataset). */
export async function encodeSplit(
  { context, inputs: { model, sae, dataset, config } }: MeasureBench,
  windows: readonly TokenWindow[],
): Promise<Encoded> {
  const reading = { batchTokens: config.batchTokens, signal: context.signal }
  const site = sae.metadata.hook_name
  const { values, tokens, width } = await siteValues(model, site, windows, new Float32Array(sae.width), reading)
  const pieces: SparseLatents[] = []
  for (let start = 0; start < tokens; start += encodedRows) {
    const rows = Math.min(encodedRows, tokens - start)
    const part = values.subarray(start * width, (start + rows) * width)
    pieces.push(onHost(() => sae.encode(tf.tensor2d(part, [rows, width]))))
  }
  const labels = labelWindows(dataset, windows, config.concepts ?? dataset.concepts)
  return { windows, width, values, latents: stackSparse(pieces, sae.latents), labels }
}

/** Examples of one concept: each is one token, or the mean over a window's tokens. */
export interface Examples {
  readonly level: 'token' | 'window'
  readonly labels: Uint8Array
  /** Values of example i [width]. */
  valuesOf(example: number): Float32Array
  /** What the SAE makes of it: latents that are not 0. */
  latentsOf(example: number): ReadonlyMap<number, number>
}

/** The examples of a concept: windows where each has it wholly or not at all, otherwise tokens. */
export function examplesOf(encoded: Encoded, concept: number): Examples {
  const carries = conceptRows(encoded.labels, concept)
  const { rowStart } = encoded.labels
  const share = encoded.windows.map((_, w) => {
    const own = carries.subarray(rowStart[w]!, rowStart[w + 1]!)
    return own.reduce((sum, one) => sum + one, 0) / Math.max(1, own.length)
  })
  if (!share.every(one => one === 0 || one === 1)) return tokenExamples(encoded, carries)
  return {
    level: 'window',
    labels: Uint8Array.from(share),
    valuesOf: w => meanRow(encoded, rowStart[w]!, rowStart[w + 1]!),
    latentsOf: w => meanLatents(encoded.latents, rowStart[w]!, rowStart[w + 1]!),
  }
}

/** Every token as an example. */
function tokenExamples(encoded: Encoded, labels: Uint8Array): Examples {
  return {
    level: 'token',
    labels,
    valuesOf: row => encoded.values.subarray(row * encoded.width, (row + 1) * encoded.width),
    latentsOf: row => meanLatents(encoded.latents, row, row + 1),
  }
}

function meanRow({ values, width }: Encoded, start: number, end: number): Float32Array {
  const mean = new Float32Array(width)
  for (let row = start; row < end; row++)
    for (let j = 0; j < width; j++) mean[j]! += values[row * width + j]! / (end - start)
  return mean
}

function meanLatents({ offsets, indices, values }: SparseLatents, start: number, end: number): Map<number, number> {
  const found = new Map<number, number>()
  for (let e = offsets[start]!; e < offsets[end]!; e++)
    found.set(indices[e]!, (found.get(indices[e]!) ?? 0) + values[e]! / (end - start))
  return found
}

/** As many examples with the label as without, `most` of each, drawn by lot. */
export function balanced(labels: Uint8Array, most: number, random: Random): number[] {
  const places = (label: number) => [...labels.keys()].filter(i => labels[i] === label)
  const [inside, outside] = [places(1), places(0)]
  const count = Math.min(most, inside.length, outside.length)
  return [...random.sample(inside, count), ...random.sample(outside, count)]
}

/** A dense matrix [examples, width] of what `rowOf` gives. */
export function matrixOf(
  examples: readonly number[],
  width: number,
  rowOf: (example: number) => ArrayLike<number>,
): Float32Array {
  const found = new Float32Array(examples.length * width)
  examples.forEach((example, i) => {
    found.set(rowOf(example), i * width)
  })
  return found
}

/** Latents by the size of mean with the label less mean without it, largest first: how k-sparse probes choose. */
export function rankedLatents(
  { labels, latentsOf }: Examples,
  examples: readonly number[],
  latents: number,
  most: number,
): number[] {
  const difference = new Float64Array(latents)
  const inside = examples.filter(i => labels[i]).length
  for (const example of examples) {
    const weight = labels[example] ? 1 / inside : -1 / (examples.length - inside)
    for (const [latent, value] of latentsOf(example)) difference[latent]! += weight * value
  }
  return Array.from(difference, (_, latent) => latent)
    .sort((a, b) => Math.abs(difference[b]!) - Math.abs(difference[a]!) || a - b)
    .slice(0, most)
    .filter(latent => difference[latent] !== 0)
}
