/** `pipeline model pull` and `pipeline dataset pull`: from a hub into its standard cache. */
import { z } from 'zod'
import { cacheFolder } from '../../core/hub/cache.ts'
import type { PullOptions } from '../../core/hub/pull.ts'
import { type Repository, repositoryOf } from '../../core/hub/repository.ts'
import { columns, figure } from '../../core/text.ts'
import { defineCommand } from '../command.ts'

/** What is read of a model beside its weights: config and tokenizer. */
const besideWeights = /^[^/]+\.(json|model|txt)$/
/** Weights, the forms that are taken before others first: many repositories hold the same numbers in several. */
const weights = [
  /^model\.safetensors$/,
  /^model-\d+-of-\d+\.safetensors$/,
  /^[^/]+\.safetensors$/,
  /^pytorch_model\.bin$/,
  /^pytorch_model-\d+-of-\d+\.bin$/,
]

/** Whether a file of a model is read here, by the names of all. */
export function isRead(path: string, all: readonly string[]): boolean {
  const form = weights.find(form => all.some(name => form.test(name)))
  return besideWeights.test(path) || form?.test(path) === true
}

/** What texts are in, and what says which file is what. */
const datasetFiles = /\.(txt|jsonl?|csv|parquet|gz|zst|md)$/

const settings = {
  revision: z.string().default('main').describe('Branch, tag or commit'),
  files: z
    .array(z.string())
    .optional()
    .describe('Files to pull, where * stands for any part of a name (default: those that are read here)'),
  hub: z.string().default('https://huggingface.co').describe('Address of the hub'),
  cache: z
    .string()
    .optional()
    .describe('Folder of the cache (default: HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub)'),
  offline: z.boolean().default(false).describe('Use what is in the cache and ask nobody (also with HF_HUB_OFFLINE=1)'),
}

/** The command for one kind of repository. */
function pullCommand(kind: Repository['kind'], about: string, isDefault: PullOptions['wants']) {
  return defineCommand({
    about: `${about} What was cut goes on where it stopped, and every file is held to the hash that the hub gives. The token of HF_TOKEN goes along where there is one. Prints the folder to name in other commands.`,
    examples: [`pipeline ${kind} pull owner/name`, `pipeline ${kind} pull owner/name --revision v1.0 --json`],
    operands: ['name'],
    config: z.strictObject({ name: z.string().describe(`Name of the ${kind} on the hub: owner/name`), ...settings }),
    async run(config, { signal, progress }) {
      const repository = repositoryOf(kind, config.name, config.revision)
      const { pull } = await import('../../core/hub/pull.ts')
      const wanted = config.files?.map(patternOf)
      const found = await pull({
        repository,
        wants: (path, all) => (wanted ? wanted.some(pattern => pattern.test(path)) : isDefault(path, all)),
        hub: config.hub,
        cache: config.cache ?? cacheFolder(),
        offline: config.offline || process.env.HF_HUB_OFFLINE === '1',
        token: process.env.HF_TOKEN?.trim() || undefined,
        signal,
        progress,
      })
      const facts = {
        directory: found.directory,
        commit: found.commit,
        files: found.files,
        bytes: found.bytes,
        fetched: found.fetched,
      }
      return {
        text: columns(Object.entries(facts).map(([key, value]) => [key, figure(value)])).join('\n'),
        json: facts,
      }
    },
  })
}

/** A name with `*` for any part of it. */
function patternOf(text: string): RegExp {
  return new RegExp(
    `^${text
      .split('*')
      .map(part => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
      .join('.*')}$`,
  )
}

export const model = pullCommand(
  'model',
  'Fetches a model from a hub into the cache that Hugging Face’s own programs share.',
  isRead,
)
export const dataset = pullCommand(
  'dataset',
  'Fetches a dataset from a hub into the cache that Hugging Face’s own programs share.',
  path => datasetFiles.test(path),
)
