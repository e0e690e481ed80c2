/** `pipeline export …`: results for other programs. */
import { cp, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { labelFormats } from '../../labels/export.ts'
import { defineCommand } from '../command.ts'
import { openStore, StoreConfig } from '../common.ts'
import { findRun, findSae } from '../inputs.ts'

const verdicts = ['pass', 'fail', 'inconclusive', 'not-run'] as const

export const labels = defineCommand({
  about: 'Writes the feature labels of a label run as JSON lines, JSON or CSV (docs/labels.md describes the fields).',
  examples: [
    'pipeline export labels --run run42 --to labels.csv --format csv',
    'pipeline export labels --run run42 --to found.jsonl --verdicts pass --labelledOnly',
  ],
  config: z.strictObject({
    run: z.string().describe('Id or directory of the label run'),
    to: z.string().describe('File to write'),
    format: z.enum(labelFormats).default('jsonl').describe('Form of the file'),
    verdicts: z.array(z.enum(verdicts)).optional().describe('Only features with these verdicts'),
    labelledOnly: z.boolean().default(false).describe('Only features that a rule describes'),
    ...StoreConfig,
  }),
  async run(config) {
    const { exportLabels } = await import('../../labels/export.ts')
    const { directory, run } = await findRun(openStore(config), config.run, 'labels', ['label'])
    const to = resolve(config.to)
    const selection = {
      labelledOnly: config.labelledOnly,
      ...(config.verdicts ? { verdicts: config.verdicts } : {}),
    }
    const features = await exportLabels(directory, to, config.format, selection)
    return { text: `${features} features of ${run.manifest.id} are in ${to}.`, json: { features, path: to } }
  },
})

export const sae = defineCommand({
  about:
    'Copies an SAE into a directory that SAELens opens: cfg.json, sae_weights.safetensors and, where it has one, sparsity.safetensors.',
  examples: ['pipeline export sae --run run42 --to my-sae'],
  config: z.strictObject({
    run: z.string().describe('Id or directory of the run that trained the SAE'),
    to: z.string().describe('Directory to make'),
    ...StoreConfig,
  }),
  async run(config) {
    const { directory } = await findSae(openStore(config), config.run)
    const to = resolve(config.to)
    const files = (await readdir(directory)).filter(name => name === 'cfg.json' || name.endsWith('.safetensors'))
    const before = await readdir(to).catch(() => [])
    if (before.length > 0)
      throw new UserError(`${to} is not empty.`, { fix: 'Name a directory that does not exist yet.' })
    for (const name of files) await cp(join(directory, name), join(to, name))
    return { text: `The SAE is in ${to}.`, json: { path: to, files } }
  },
})
