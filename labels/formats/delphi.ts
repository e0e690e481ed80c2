/**
 * Delphi's results: `explanations/{hookpoint}_latent{i}.txt` (a JSON string), `scores/{detection, fuzz}/{hookpoint}_latent{i}.txt`
 * (a JSON list of examples) and `run_config.json`, as its `log_results` reads them. Its cache of all activations
 * (`latents/`) is not kept by a label run, so that it is not written.
 */
import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { readJson } from '../../core/files.ts'
import { hookpointOf } from '../../sae/formats/write/hookpoint.ts'
import type { AnswerRow } from '../answers.ts'
import { namesIn } from '../lines.ts'
import { causalFile, causalLines, readCausal, withCausal } from './causal.ts'
import type { ImportedLabels, LabelFormat } from './format.ts'

const folders = { detection: 'detection', fuzzing: 'fuzz' } as const

export const delphi: LabelFormat = {
  name: 'delphi',
  about: "delphi's explanations and scores",
  ending: undefined,
  keys: [],
  async *write(source) {
    const { about, features } = source
    const hookpoint = hookpointOf(about.site)
    const answers = await source.answers()
    const explained = features.find(({ explanation }) => explanation !== null)?.explanation
    const scorers = Object.entries(folders).filter(([score]) => answers.rows.some(row => row.score === score))
    yield {
      path: 'run_config.json',
      data: `${JSON.stringify(
        {
          cache_cfg: { dataset_repo: about.dataset, cache_ctx_len: about.context, n_tokens: about.tokens },
          ...{ constructor_cfg: {}, sampler_cfg: {}, model: about.model, sparse_model: about.run },
          ...{ hookpoints: [hookpoint], explainer_model: explained?.model ?? '', seed: about.seed, name: about.run },
          ...{ explainer: explained ? 'default' : 'none', scorers: scorers.map(([, folder]) => folder) },
        },
        null,
        4,
      )}\n`,
    }
    const chosen = new Set(features.map(({ latent }) => latent))
    for (const { latent, label, explanation } of features) {
      const text = explanation?.text ?? label
      if (text !== null) yield { path: `explanations/${hookpoint}_latent${latent}.txt`, data: JSON.stringify(text) }
    }
    for (const [score, folder] of scorers) {
      const byLatent = new Map<number, AnswerRow[]>()
      for (const row of answers.rows)
        if (row.score === score && row.judge === answers.scorer && chosen.has(row.latent))
          byLatent.set(row.latent, [...(byLatent.get(row.latent) ?? []), row])
      for (const [latent, rows] of byLatent)
        yield {
          path: `scores/${folder}/${hookpoint}_latent${latent}.txt`,
          data: JSON.stringify(rows.map(scored)),
        }
    }
    yield { path: causalFile, data: causalLines(features) }
  },
  read,
}

/** An example as delphi keeps it: `distance` is the band of an activating one, −1 of another. */
function scored({ tokens, activations, band, truth, answer }: AnswerRow): object {
  return {
    ...{ str_tokens: tokens, activations, distance: truth ? band : -1, activating: truth, prediction: answer },
    ...{ probability: null, correct: answer === null ? null : answer === truth },
  }
}

async function read(folder: string): Promise<ImportedLabels> {
  const explanations = (await namesIn(folder)).includes('explanations') ? join(folder, 'explanations') : folder
  const causal = await readCausal(folder)
  const labels = []
  const hookpoints = new Set<string>()
  for (const name of await namesIn(explanations)) {
    const [, hookpoint, latent] = /^(.+)_latent(\d+)\.txt$/.exec(name) ?? []
    if (hookpoint === undefined) continue
    hookpoints.add(hookpoint)
    const path = join(explanations, name)
    const text = await readJson(path, 'explanation of delphi')
    if (typeof text !== 'string' || text.trim() === '')
      throw new UserError(`${path} holds no text, as delphi's explanations do: a JSON string.`)
    labels.push({ latent: Number(latent), label: text })
  }
  if (labels.length === 0)
    throw new UserError(`${folder} has no explanations of delphi ({hookpoint}_latent{i}.txt).`, {
      fix: 'Check the path.',
    })
  if (hookpoints.size > 1)
    throw new UserError(`${folder} has explanations of several SAEs: ${[...hookpoints].join(', ')}.`, {
      fix: 'Put those of one hookpoint into a folder of their own.',
    })
  labels.sort((a, b) => a.latent - b.latent)
  return { ...withCausal(labels, causal), vectors: new Map() }
}
