/** The held-out text of a validation: which windows are read, what latents do on them, and what their tokens carry. */
import { paced } from '../../core/pace.ts'
import { Random } from '../../core/random.ts'
import type { TokenDataset, TokenWindow } from '../../datasets/document.ts'
import { onHost } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import { type Activations, firstPosition, siteRows } from '../../latents/activations.ts'
import type { Model } from '../../model/model.ts'
import type { ValidateConfig } from '../config.ts'
import { type ClaimDocument, fewestDocuments } from '../rows.ts'
import { type Candidate, candidatesOf } from './choose.ts'
import { type ConceptLabels, labelWindows } from './concepts.ts'
import { conceptAurocs, type RankedActivations, rankActivations } from './selectivity.ts'
import { conceptTarget, countTargets, type Target } from './targets.ts'

/** A stratum field with more values than this (such as an id) gives no effect a value. */
const manyValues = 24
/** Rows from which covariance-matched directions are drawn. */
const covarianceRows = 1024

/** What latents do on each split. */
export interface SplitActivations {
  readonly discovery: Activations
  readonly validation: Activations
  /** Null where there is no such text. */
  readonly outOfDistribution: Activations | null
}

type JudgedLatents = Pick<LabelledText, 'validationRanks' | 'aurocs' | 'candidates'>

/** Labels of the splits and what discovery text says of every latent. */
export interface LabelledText {
  readonly concepts: readonly string[]
  readonly discoveryLabels: ConceptLabels
  readonly validationLabels: ConceptLabels
  /** Null where there is no out-of-distribution text. */
  readonly outOfDistributionLabels: ConceptLabels | null
  readonly validationRanks: RankedActivations
  /** AUROC on discovery text, [latents · concepts]; NaN for concepts that are not claimed. */
  readonly aurocs: Float64Array
  /** Which concepts may be claimed, by their place in `concepts`. */
  readonly usable: readonly boolean[]
  readonly candidates: readonly Candidate[]
  /** The target of a concept, by its place in `concepts`. */
  readonly targetOf: (concept: number) => Target
}

/**
 * Labels the splits and judges every latent on discovery text. Concepts that training text cannot aim at, or that
 * validation text has too few documents of, are not claimed; neither looks at activations.
 */
export function readLabelledText(
  dataset: TokenDataset,
  config: ValidateConfig,
  counted: readonly TokenWindow[],
  vocabulary: number,
  { discovery, validation, outOfDistribution }: SplitActivations,
): LabelledText {
  const concepts = config.claims === 'firing' ? [] : (config.concepts ?? dataset.concepts)
  const discoveryLabels = labelWindows(dataset, discovery.windows, concepts)
  const validationLabels = labelWindows(dataset, validation.windows, concepts)
  // All concepts, so that a concept's siblings count as its rest even where they are not claimed.
  const all = concepts.length > 0 ? dataset.concepts : []
  const counts = countTargets(labelWindows(dataset, counted, all), vocabulary)
  const targets = concepts.map((concept, i) =>
    validationLabels.documents[i]! < fewestDocuments ? undefined : conceptTarget(counts, all.indexOf(concept)),
  )
  const usable = targets.map(target => target !== undefined && target.separation >= config.minimumSeparation)
  const outOfDistributionLabels = outOfDistribution && labelWindows(dataset, outOfDistribution.windows, concepts)
  const labels = { concepts, discoveryLabels, validationLabels, outOfDistributionLabels, usable }
  return {
    ...labels,
    ...judgeLatents(labels, discovery, validation),
    targetOf: concept => conceptTarget(counts, all.indexOf(concepts[concept]!)),
  }
}

/** What labelled text says of the latents that fire on it: the part of it that depends on the SAE. */
export function judgeLatents(
  { concepts, discoveryLabels, validationLabels, usable }: Omit<LabelledText, 'targetOf' | keyof JudgedLatents>,
  discovery: Activations,
  validation: Activations,
): JudgedLatents {
  const aurocs = conceptAurocs(rankActivations(discovery, discoveryLabels), discoveryLabels)
  for (let i = 0; i < aurocs.length; i++) if (!usable[i % concepts.length]) aurocs[i] = Number.NaN
  return {
    validationRanks: rankActivations(validation, validationLabels),
    aurocs,
    candidates: candidatesOf(discovery, aurocs, concepts.length),
  }
}

/** Values at the site on discovery text less their mean, [rows, width], for covariance-matched directions. */
export function sampleRows(
  model: Model,
  site: string,
  width: number,
  windows: readonly TokenWindow[],
  seed: number,
): Float32Array {
  const random = new Random(seed, 'covariance rows')
  const rows: Float32Array[] = []
  for (const window of random.shuffle([...windows])) {
    if (rows.length >= covarianceRows) break
    const values = onHost(
      () =>
        siteRows(
          model,
          site,
          tf.tensor2d(window.tokens, [1, window.tokens.length], 'int32'),
        ).dataSync<'float32'>() as Float32Array,
    )
    for (let p = firstPosition; p < window.tokens.length; p++) rows.push(values.slice(p * width, (p + 1) * width))
  }
  const samples = new Float32Array(rows.length * width)
  for (let j = 0; j < width; j++) {
    const mean = rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length
    rows.forEach((row, i) => {
      samples[i * width + j] = row[j]! - mean
    })
  }
  return samples
}

/** Stratum fields with two to `manyValues` values. `stop` is called from time to time, and throws where the work is to end. */
export async function fewValued({ documents }: TokenDataset, stop?: () => void): Promise<string[]> {
  const values = new Map<string, Set<string>>()
  for await (const { strata } of paced(documents, stop))
    for (const [field, value] of Object.entries(strata)) values.set(field, (values.get(field) ?? new Set()).add(value))
  return [...values]
    .filter(([, { size }]) => size >= 2 && size <= manyValues)
    .map(([field]) => field)
    .sort()
}

/** Strata of the documents that interventions use, by id: those of the document that their first window opens with. */
export function strataOf(
  dataset: TokenDataset,
  used: readonly ClaimDocument[],
): Record<string, Record<string, string>> {
  const windows = new Map<string, TokenWindow>()
  for (const { document, window } of used)
    if (window.index < (windows.get(document)?.index ?? Number.POSITIVE_INFINITY)) windows.set(document, window)
  return Object.fromEntries(
    [...windows]
      .sort(([, a], [, b]) => a.index - b.index)
      .map(([document, window]) => [document, { ...dataset.documents.at(window.documents[firstPosition]!)!.strata }]),
  )
}
