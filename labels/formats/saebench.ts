/**
 * SAEBench's result of its eval `autointerp`, by its schema: the mean accuracy of detection over latents and its standard
 * deviation, and each latent's explanation and accuracy, where its own eval keeps them. Without scores by a language model there is no such result.
 */
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { readJson } from '../../core/files.ts'
import { sha256 } from '../../core/hash.ts'
import { standardDeviation } from '../../statistics/descriptive.ts'
import type { BinaryScore } from '../explanation.ts'
import { namesIn } from '../lines.ts'
import { causalFile, causalLines, readCausal, withCausal } from './causal.ts'
import type { ImportedLabels, LabelFormat } from './format.ts'

const ending = '_eval_results.json'

export const saebench: LabelFormat = {
  name: 'saebench',
  about: "SAEBench's autointerp result",
  ending: undefined,
  keys: [],
  async *write({ features, about }) {
    const scored = features.flatMap(({ latent, explanation }) => {
      const accuracy = explanation?.detection ? accuracyOf(explanation.detection) : null
      return accuracy === null ? [] : [{ latent, explanation: explanation!.text, score: accuracy }]
    })
    if (scored.length < 2)
      throw new UserError(
        `SAEBench's result is a mean over latents whose explanations were scored, and ${about.run} has ${scored.length} of them.`,
        { fix: 'Label with a language model (pipeline label --explainer.model …), or export in another form.' },
      )
    const scores = scored.map(({ score }) => score)
    const result = {
      eval_type_id: 'autointerp',
      eval_config: {
        ...{ model_name: about.model, n_latents: null, override_latents: scored.map(({ latent }) => latent) },
        ...{ random_seed: about.seed, dataset_name: about.dataset, llm_context_size: about.context },
        total_tokens: about.tokens,
      },
      eval_id: sha256(JSON.stringify([about.run, scored])).replace(
        /^(.{8})(.{4})(.{4})(.{4})(.{12}).*/,
        '$1-$2-$3-$4-$5',
      ),
      datetime_epoch_millis: about.finished,
      eval_result_metrics: {
        autointerp: {
          autointerp_score: scores.reduce((sum, score) => sum + score, 0) / scores.length,
          autointerp_std_dev: standardDeviation(scores),
        },
      },
      eval_result_details: [],
      ...{ sae_bench_commit_hash: 'not of sae_bench: pipeline', sae_lens_id: 'custom_sae' },
      ...{ sae_lens_release_id: about.run, sae_lens_version: null, sae_cfg_dict: about.saeConfig },
      eval_result_unstructured: Object.fromEntries(scored.map(one => [one.latent, one])),
    }
    yield { path: `${about.run}_custom_sae${ending}`, data: `${JSON.stringify(result, null, 2)}\n` }
    yield { path: causalFile, data: causalLines(features) }
  },
  read,
}

/** Share of all examples that were told right; null where none was answered. */
function accuracyOf({ positives, hits, negatives, rejections }: BinaryScore): number | null {
  return positives + negatives > 0 ? (hits + rejections) / (positives + negatives) : null
}

const Result = z.looseObject({
  eval_type_id: z.literal('autointerp'),
  eval_result_unstructured: z.record(
    z.string().regex(/^\d+$/),
    z.looseObject({ explanation: z.string().regex(/\S/).nullable() }),
  ),
})

/** Reads a result, or the folder of one. */
async function read(path: string): Promise<ImportedLabels> {
  const isFile = (await stat(path).catch(() => undefined))?.isFile() === true
  const folder = isFile ? dirname(path) : path
  const [name, ...more] = isFile ? [path] : (await namesIn(folder)).filter(one => one.endsWith(ending))
  if (name === undefined || more.length > 0)
    throw new UserError(
      `${folder} has ${more.length ? 'several files' : 'no file'} *${ending}, of which one is read.`,
      {
        fix: 'Name the file.',
      },
    )
  const file = isFile ? path : join(folder, name)
  const result = parseConfig(Result, await readJson(file, 'result of SAEBench'), `the result ${file}`)
  const causal = await readCausal(folder)
  const labels = Object.entries(result.eval_result_unstructured).flatMap(([latent, { explanation }]) =>
    explanation === null ? [] : [{ latent: Number(latent), label: explanation }],
  )
  return { ...withCausal(labels, causal), vectors: new Map() }
}
