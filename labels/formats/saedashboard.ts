/**
 * SAEDashboard's batches for Neuronpedia, `batch-*.json` of 128 features, as its `NeuronpediaDashboardBatch` reads them. They
 * hold no labels: those are in the causal records beside them.
 */
import { join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { readJson } from '../../core/files.ts'
import { namesIn } from '../lines.ts'
import { causalFile, causalLabels, causalLines, hashesOf, readCausal } from './causal.ts'
import { alignment, bars, examplesAlong, type ImportedLabels, inBatches, type LabelFormat } from './format.ts'
import { binOf } from './neuronpedia.ts'

const batchSize = 128

export const saedashboard: LabelFormat = {
  name: 'saedashboard',
  about: "SAEDashboard's batches for Neuronpedia",
  ending: undefined,
  keys: ['set'],
  async *write(source) {
    const { about, vector } = source
    const examplesOf = examplesAlong(source)
    for (const [batch, features] of inBatches(source.features, batchSize)) {
      const rows: object[] = []
      for (const feature of features) {
        const row = vector?.(feature.latent)
        const near = alignment(row)
        const [activity, logits] = [bars(feature.histogram), feature.logitHistogram && bars(feature.logitHistogram)]
        const examples = (await examplesOf(feature.latent)).filter(({ group }) => !group.startsWith('silent'))
        rows.push({
          feature_index: feature.latent,
          ...{ neuron_alignment_indices: near.indices, neuron_alignment_values: near.values },
          neuron_alignment_l1: near.l1,
          ...{ correlated_neurons_indices: [], correlated_neurons_l1: [], correlated_neurons_pearson: [] },
          correlated_features_indices: feature.together.map(({ latent }) => latent),
          ...{ correlated_features_l1: [], correlated_features_pearson: [] },
          neg_str: feature.suppressed.map(({ token }) => token),
          neg_values: feature.suppressed.map(({ effect }) => effect),
          pos_str: feature.promoted.map(({ token }) => token),
          pos_values: feature.promoted.map(({ effect }) => effect),
          frac_nonzero: feature.density,
          ...{ freq_hist_data_bar_values: activity.values, freq_hist_data_bar_heights: activity.heights },
          ...{ logits_hist_data_bar_heights: logits?.heights ?? [], logits_hist_data_bar_values: logits?.values ?? [] },
          n_prompts_total: Math.ceil(about.tokens / about.context),
          ...{ n_tokens_in_prompt: about.context, dataset: about.dataset },
          decoder_weights_dist: [],
          activations: examples.map(example => {
            const bin = binOf(example, example.activation)
            return {
              ...{ bin_min: bin.min, bin_max: bin.max, bin_contains: bin.contains, tokens: example.tokens },
              ...{ values: Array.from(example.activations), qualifying_token_index: example.position - example.start },
            }
          }),
          vector: row ? Array.from(row) : [],
        })
      }
      const head = { model_id: about.model, layer: about.layer, sae_set: about.set, sae_id_suffix: null }
      yield { path: `batch-${batch}.json`, data: JSON.stringify({ ...head, features: rows }) }
    }
    yield { path: causalFile, data: causalLines(source.features) }
  },
  read,
}

const Batch = z.looseObject({
  features: z.array(
    z.looseObject({ feature_index: z.int().min(0), vector: z.array(z.number()).nullable().default([]) }),
  ),
})

async function read(folder: string): Promise<ImportedLabels> {
  const names = (await namesIn(folder)).filter(name => /^batch-\d+\.json$/.test(name))
  if (names.length === 0)
    throw new UserError(`${folder} has no batch-*.json, as SAEDashboard writes them.`, { fix: 'Check the path.' })
  const vectors = new Map<number, readonly number[]>()
  for (const name of names) {
    const path = join(folder, name)
    const batch = parseConfig(Batch, await readJson(path, 'batch of SAEDashboard'), `the batch ${path}`)
    for (const { feature_index, vector } of batch.features) {
      if (!vector?.length) continue
      if (vectors.has(feature_index)) throw new UserError(`${path} is about latent ${feature_index} again.`)
      vectors.set(feature_index, vector)
    }
  }
  const causal = await readCausal(folder)
  if (causal.length === 0)
    throw new UserError(`SAEDashboard's batches hold no labels, and ${folder} has no ${causalFile} with some.`, {
      fix: 'Read the labels from the explanations of Neuronpedia (--from neuronpedia), or from where they were made.',
    })
  return { labels: causalLabels(causal), saeHashes: hashesOf(causal), vectors }
}
