/**
 * Selectivity: how well a latent's activation tells tokens with a concept from tokens without it.
 *
 * AUROC over tokens with midranks (latents are zero almost everywhere). A midrank depends on the activations alone, so
 * it is computed once a latent, and AUROC for any labelling is a sum over the latent's active tokens. The best concept
 * is chosen on discovery text and tested on validation text; the null is the best AUROC that *any* latent reaches when
 * documents swap labels, since choosing one of many latents is a selection too.
 */
import type { Random } from '../../core/random.ts'
import { type Activations, firstPosition } from '../../latents/activations.ts'
import { midranks } from '../../statistics/descriptive.ts'
import { type ConceptLabels, conceptRows, dealRows, unitRows } from './concepts.ts'

/** Ranks of a set of activations: for each entry its row and how far its midrank stands above a silent token's. */
export interface RankedActivations {
  readonly activations: Activations
  readonly row: Uint32Array
  readonly above: Float32Array
  /** Midrank of a silent token, by latent. */
  readonly silent: Float64Array
}

/** Ranks every latent's activations among all tokens of the windows, which `labels` are of too. */
export function rankActivations(activations: Activations, labels: ConceptLabels): RankedActivations {
  const { offsets, latents, tokens } = activations
  const total = offsets[latents]!
  const row = new Uint32Array(total)
  const above = new Float32Array(total)
  const silent = new Float64Array(latents)
  for (let e = 0; e < total; e++)
    row[e] = labels.rowStart[activations.window[e]!]! + activations.position[e]! - firstPosition
  for (let latent = 0; latent < latents; latent++) {
    const start = offsets[latent]!
    const values = activations.value.subarray(start, offsets[latent + 1]!)
    const zeros = tokens - values.length
    let negative = 0
    for (let i = 0; i < values.length; i++) if (values[i]! < 0) negative++
    silent[latent] = negative + (zeros + 1) / 2
    const ranks = midranks(values)
    for (let i = 0; i < values.length; i++)
      above[start + i] = ranks[i]! + (values[i]! < 0 ? 0 : zeros) - silent[latent]!
  }
  return { activations, row, above, silent }
}

/** AUROC of a latent for rows labelled 0 or 1, of which `positives` are 1; NaN where one class is absent. */
export function latentAuroc(ranked: RankedActivations, latent: number, rows: Uint8Array, positives: number): number {
  const { offsets, tokens } = ranked.activations
  let sum = positives * ranked.silent[latent]!
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) if (rows[ranked.row[e]!]) sum += ranked.above[e]!
  return (sum - (positives * (positives + 1)) / 2) / (positives * (tokens - positives))
}

/** AUROC of every latent for every concept, [latents · concepts]; NaN where a concept has too few tokens or documents. */
export function conceptAurocs(
  ranked: RankedActivations,
  labels: ConceptLabels,
  { minimumTokens = 10, minimumDocuments = 3 } = {},
): Float64Array {
  const { offsets, latents, tokens } = ranked.activations
  const count = labels.concepts.length
  const result = new Float64Array(latents * count).fill(Number.NaN)
  const sums = new Float64Array(count)
  for (let latent = 0; latent < latents; latent++) {
    sums.fill(0)
    for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
      const row = ranked.row[e]!
      for (let i = labels.offsets[row]!; i < labels.offsets[row + 1]!; i++)
        sums[labels.indices[i]!]! += ranked.above[e]!
    }
    for (let concept = 0; concept < count; concept++) {
      const positives = labels.tokens[concept]!
      if (positives < minimumTokens || labels.documents[concept]! < minimumDocuments || positives === tokens) continue
      const sum = sums[concept]! + positives * ranked.silent[latent]!
      result[latent * count + concept] = (sum - (positives * (positives + 1)) / 2) / (positives * (tokens - positives))
    }
  }
  return result
}

/** The concept a latent tells best, its place and AUROC; undefined where no concept can be judged. */
export function bestConcept(
  aurocs: Float64Array,
  latent: number,
  concepts: number,
): { concept: number; auroc: number } | undefined {
  let best: { concept: number; auroc: number } | undefined
  for (let concept = 0; concept < concepts; concept++) {
    const auroc = aurocs[latent * concepts + concept]!
    if (auroc > (best?.auroc ?? -1)) best = { concept, auroc }
  }
  return best
}

/** The best AUROC of any latent under each of `shuffles` dealings of one concept's labels to other documents. */
export function nullMaxima(
  ranked: RankedActivations,
  labels: ConceptLabels,
  concept: number,
  shuffles: number,
  random: Random,
): number[] {
  const { offsets, latents, tokens } = ranked.activations
  const own = conceptRows(labels, concept)
  const units = unitRows(labels)
  const order = units.map((_, i) => i)
  const byRow = entriesByRow(ranked, own.length)
  const sums = new Float64Array(latents)
  const maxima: number[] = []
  for (let shuffle = 0; shuffle < shuffles; shuffle++) {
    const rows = dealRows(labels, own, random.shuffle(order), units)
    let positives = 0
    for (let row = 0; row < rows.length; row++) positives += rows[row]!
    for (let latent = 0; latent < latents; latent++) sums[latent] = positives * ranked.silent[latent]!
    // The terms of `latentAuroc`, in its order: a latent's entries go by their rows.
    for (let row = 0; row < rows.length; row++) {
      if (!rows[row]) continue
      for (let i = byRow.offsets[row]!; i < byRow.offsets[row + 1]!; i++) sums[byRow.latent[i]!]! += byRow.above[i]!
    }
    let best = 0
    for (let latent = 0; latent < latents; latent++) {
      if (offsets[latent] === offsets[latent + 1]) continue
      const auroc = (sums[latent]! - (positives * (positives + 1)) / 2) / (positives * (tokens - positives))
      if (auroc > best) best = auroc
    }
    maxima.push(best)
  }
  return maxima
}

/** Ranked entries turned so that each row's are together. */
function entriesByRow({ activations, row, above }: RankedActivations, rows: number) {
  const starts = new Uint32Array(rows + 1)
  for (let e = 0; e < row.length; e++) starts[row[e]! + 1]!++
  for (let i = 0; i < rows; i++) starts[i + 1]! += starts[i]!
  const next = starts.slice()
  const latentOf = new Uint32Array(row.length)
  const aboveOf = new Float32Array(row.length)
  for (let latent = 0; latent < activations.latents; latent++)
    for (let e = activations.offsets[latent]!; e < activations.offsets[latent + 1]!; e++) {
      const at = next[row[e]!]!++
      latentOf[at] = latent
      aboveOf[at] = above[e]!
    }
  return { offsets: starts, latent: latentOf, above: aboveOf }
}
