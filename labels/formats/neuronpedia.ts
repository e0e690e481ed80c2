/**
 * Neuronpedia's bulk import: `release.jsonl`, `model.jsonl`, `sourceset.jsonl`, `source.jsonl`, and packed batches of 1,024
 * features by index in `features/`, `activations/` and `explanations/`, as its own export writes them and its database's
 * schema names them. Silent examples have no place there; a key into a table of explanation types or models that the other
 * database may lack is null.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { sha256 } from '../../core/hash.ts'
import type { Feature } from '../feature.ts'
import { linesOf, namesIn, parseLine } from '../lines.ts'
import type { StoredExample } from '../tables.ts'
import { causalFile, causalLines, readCausal, withCausal } from './causal.ts'
import {
  alignment,
  bars,
  examplesAlong,
  type ImportedLabels,
  inBatches,
  type LabelFormat,
  type LabelSource,
  type LabelsAbout,
} from './format.ts'

const batchSize = 1024

export const neuronpedia: LabelFormat = {
  name: 'neuronpedia',
  about: "Neuronpedia's bulk import",
  ending: undefined,
  keys: ['set', 'creator'],
  async *write(source) {
    const { about } = source
    const source_ = sourceId(about)
    const base = `${about.model}/${source_}`
    yield* heads(source, base)
    const examplesOf = examplesAlong(source)
    for (const [batch, features] of inBatches(source.features, batchSize)) {
      const file = (kind: string, rows: readonly object[]) => ({
        path: `${base}/${kind}/batch-${batch}.jsonl.gz`,
        data: gzipSync(rows.map(row => `${JSON.stringify(row)}\n`).join(''), { level: 5 }),
      })
      yield file(
        'features',
        features.map(feature => neuron(feature, source)),
      )
      const activations: object[] = []
      for (const { latent } of features)
        for (const example of await examplesOf(latent))
          if (!example.group.startsWith('silent')) activations.push(activation(latent, example, about))
      yield file('activations', activations)
      yield file(
        'explanations',
        features.flatMap(feature => explanation(feature, about)),
      )
    }
    yield { path: `${base}/${causalFile}`, data: causalLines(source.features) }
  },
  read,
}

const sourceId = ({ layer, set }: LabelsAbout) => `${layer}-${set}`

/** An id of the database's kind that depends on what it names alone. */
const idOf = (...parts: (string | number)[]) => `c${sha256(JSON.stringify(parts)).slice(0, 24)}`

function* heads({ about }: LabelSource, base: string) {
  const { creator: creatorId, model: modelId, set } = about
  const line = (name: string, value: object) => ({ path: `${base}/${name}.jsonl`, data: `${JSON.stringify(value)}\n` })
  const made = { creatorName: 'pipeline', urls: [], creatorId }
  yield line('release', { name: set, description: `SAEs of ${modelId}`, ...made })
  yield line('model', {
    ...{ id: modelId, displayNameShort: modelId, displayName: modelId, creatorId, layers: about.layers },
    ...{ neuronsPerLayer: about.neurons, owner: 'pipeline' },
  })
  yield line('sourceset', { modelId, name: set, description: `SAEs at ${about.site}`, ...made, releaseName: set })
  yield line('source', {
    ...{ id: sourceId(about), modelId, hasDashboards: true, setName: set, creatorId, dataset: about.dataset },
    ...{ num_prompts: null, num_tokens_in_prompt: about.context, notes: `label run ${about.run}` },
  })
}

function neuron(feature: Feature, { about, vector }: LabelSource): object {
  const row = vector?.(feature.latent)
  const near = alignment(row)
  const [activity, logits] = [bars(feature.histogram), feature.logitHistogram && bars(feature.logitHistogram)]
  return {
    ...{ modelId: about.model, layer: sourceId(about), index: String(feature.latent) },
    ...{ maxActApprox: feature.maxActivation, creatorId: about.creator, frac_nonzero: feature.density },
    ...{ freq_hist_data_bar_heights: activity.heights, freq_hist_data_bar_values: activity.values },
    ...{ logits_hist_data_bar_heights: logits?.heights ?? [], logits_hist_data_bar_values: logits?.values ?? [] },
    ...{ neuron_alignment_indices: near.indices, neuron_alignment_l1: near.l1, neuron_alignment_values: near.values },
    ...{ correlated_neurons_indices: [], correlated_neurons_l1: [], correlated_neurons_pearson: [] },
    decoder_weights_dist: [],
    ...{ neg_str: feature.suppressed.map(({ token }) => token), neg_values: feature.suppressed.map(one => one.effect) },
    ...{ pos_str: feature.promoted.map(({ token }) => token), pos_values: feature.promoted.map(one => one.effect) },
    sourceSetName: about.set,
    topkCosSimIndices: feature.nearest.map(({ latent }) => latent),
    topkCosSimValues: feature.nearest.map(({ cosine }) => cosine),
    ...{ vector: row ? Array.from(row) : [], vectorLabel: null, hookName: about.site },
    ...{ vectorDefaultSteerStrength: 10, hasVector: row !== undefined },
  }
}

/** Neuronpedia's group of strongest examples has −1 for its share and its least value. */
export function binOf({ group, low, high, share }: StoredExample, maximum: number) {
  return group === 'top' ? { min: -1, max: maximum, contains: -1 } : { min: low!, max: high!, contains: share! }
}

function activation(latent: number, example: StoredExample, about: LabelsAbout): object {
  const { tokens, activations, position, start, activation: maximum, window } = example
  const bin = binOf(example, maximum)
  return {
    id: idOf(about.run, latent, example.group, window, position),
    ...{ modelId: about.model, layer: sourceId(about), index: String(latent), creatorId: about.creator },
    ...{ dataSource: about.dataset, tokens, maxValue: maximum, minValue: Math.min(...Array.from(activations)) },
    ...{ values: Array.from(activations), maxValueTokenIndex: position - start },
    ...{ dfaValues: [], dfaMaxValue: null, dfaTargetIndex: null },
    ...{ binContains: bin.contains, binMin: bin.min, binMax: bin.max },
  }
}

function explanation({ latent, label }: Feature, about: LabelsAbout): object[] {
  if (label === null) return []
  return [
    {
      ...{ id: idOf(about.run, latent, label), modelId: about.model, layer: sourceId(about), index: String(latent) },
      ...{ authorId: about.creator, description: label, embedding: null, typeName: null, explanationModelName: null },
      ...{ umap_x: 0, umap_y: 0, umap_cluster: 0, umap_log_feature_sparsity: 0 },
    },
  ]
}

const index = z
  .union([z.int().min(0), z.string().regex(/^\d+$/)], 'it must be a whole number of at least 0')
  .transform(Number)
/** The SAE that a line is about; exports of parts leave either out. */
const Source = { modelId: z.string().optional(), layer: z.string().optional() }
const nameOfSource = ({
  modelId,
  layer,
}: {
  readonly modelId?: string | undefined
  readonly layer?: string | undefined
}) => [modelId, layer].filter(Boolean).join('/') || 'no model and layer'
const description = z.string().regex(/\S/, 'it is empty')
const ReadExplanation = z.object({ index, description, ...Source })
const ReadNeuron = z.object({ index, vector: z.array(z.number()).default([]), ...Source })

/** Reads the folder of a source, one above it that holds a single one, or a file of explanations. */
async function read(path: string): Promise<ImportedLabels> {
  const explanations: string[] = []
  const neurons: string[] = []
  let causal: Awaited<ReturnType<typeof readCausal>> = []
  if ((await stat(path).catch(() => undefined))?.isFile()) explanations.push(path)
  else {
    const folder = await sourceFolder(path)
    const batches = async (kind: string) =>
      (await namesIn(join(folder, kind)))
        .filter(name => /^batch-\d+\.jsonl(\.gz)?$/.test(name))
        .map(name => join(folder, kind, name))
    explanations.push(...(await batches('explanations')))
    if ((await namesIn(folder)).includes('features')) neurons.push(...(await batches('features')))
    causal = await readCausal(folder)
  }
  const labels = []
  const sources = new Set<string>()
  for (const file of explanations)
    for (const { value, line } of await linesOf(file)) {
      const { index: latent, description, ...source } = parseLine(ReadExplanation, value, file, line)
      labels.push({ latent, label: description })
      sources.add(nameOfSource(source))
    }
  const vectors = new Map<number, readonly number[]>()
  for (const file of neurons)
    for (const { value, line } of await linesOf(file)) {
      const { index: latent, vector, ...source } = parseLine(ReadNeuron, value, file, line)
      sources.add(nameOfSource(source))
      if (vector.length === 0) continue
      if (vectors.has(latent)) throw new UserError(`${file}, line ${line}, is about latent ${latent} again.`)
      vectors.set(latent, vector)
    }
  if (sources.size > 1)
    throw new UserError(`${path} is about several SAEs: ${[...sources].slice(0, 3).join(', ')}.`, {
      fix: 'Put the lines of one modelId and layer into a file or folder of their own.',
    })
  return { ...withCausal(labels, causal), vectors }
}

/** The folder with `explanations/`, at most two levels down. */
async function sourceFolder(path: string): Promise<string> {
  let folder = path
  for (let level = 0; ; level++) {
    const names = await namesIn(folder)
    if (names.includes('explanations')) return folder
    if (level === 2 || names.length !== 1)
      throw new UserError(`${path} has no folder explanations, as an export of Neuronpedia has for each source.`, {
        fix: 'Name the folder {model}/{layer}-{set} of the export, or a file of explanations.',
      })
    folder = join(folder, names[0]!)
  }
}
