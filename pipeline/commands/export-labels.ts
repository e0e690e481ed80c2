/** `pipeline export labels`: the labels of a label run in the form of another tool. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { isStdout, outsideRuns, writeTo } from '../../core/destination.ts'
import { UserError } from '../../core/errors.ts'
import { counted } from '../../core/text.ts'
import { labelFormatNames, labelFormats } from '../../labels/formats/index.ts'
import { defineCommand } from '../command.ts'
import { openStore, StoreConfig } from '../stages/common.ts'
import { findRun } from '../stages/inputs.ts'
import { openLabelled } from '../stages/labelled.ts'
import { reading } from '../stages/reading.ts'

const verdicts = ['pass', 'fail', 'inconclusive', 'not-run'] as const

const Keys = {
  set: z
    .string()
    .regex(/^[\w.-]+$/)
    .optional()
    .describe('neuronpedia, saedashboard: name of the set of SAEs (default: the id of the SAE)'),
  creator: z
    .string()
    .min(1)
    .optional()
    .describe("neuronpedia: id of the database's user who made it (default: that of its own exports)"),
}

export default defineCommand({
  about: `Writes the labels of a label run in a form of its own or of another tool: ${Object.values(labelFormats)
    .map(({ name, about }) => `${name} (${about})`)
    .join(
      ', ',
    )}. What a causal test found stands in the record, or beside the files of tools that have no place for it. docs/labels.md describes every form.`,
  examples: [
    'pipeline export labels --run run42 --to csv --output labels.csv',
    'pipeline export labels --run run42 --to neuronpedia --output for-neuronpedia',
    'pipeline export labels --run run42 --to jsonl --output - --verdicts pass --labelledOnly',
  ],
  config: z.strictObject({
    run: z.string().describe('Id or directory of the label run'),
    to: z.enum(labelFormatNames).describe('The form'),
    output: z.string().min(1).optional().describe('File or folder to write (default: RUN.form); - is standard output'),
    verdicts: z.array(z.enum(verdicts)).optional().describe('Only features with these verdicts'),
    labelledOnly: z.boolean().default(false).describe('Only features with a label'),
    ...Keys,
    ...StoreConfig,
  }),
  async run(config) {
    const format = labelFormats[config.to]
    for (const key of Object.keys(Keys) as (keyof typeof Keys)[])
      if (config[key] !== undefined && !format.keys.includes(key))
        throw new UserError(`--${key} says nothing in the form ${format.name}.`, { fix: `Leave --${key} out.` })
    const store = openStore(config)
    const found = await findRun(store, config.run, 'labels', ['label'])
    const { sourceOf, fileOf, writeFolder } = await import('../../labels/export.ts')
    const files = Object.keys(found.run.manifest.files).filter(name => /^(features|examples|answers)\./.test(name))
    const { about, vector } = await openLabelled(store, found, format.keys.includes('set'), config)
    const { verdicts, labelledOnly } = config
    return reading(found, files, async () => {
      const source = await sourceOf(found.directory, about, vector, { verdicts, labelledOnly })
      const count = source.features.length
      const told = `${counted(count, 'feature', 'features')} of ${found.run.manifest.id} ${count === 1 ? 'is' : 'are'} in`
      const output = config.output ?? `${found.run.manifest.id}.${format.name}`
      if (format.ending === undefined) {
        if (isStdout(output))
          throw new UserError(`The form ${format.name} is a folder, and standard output is none.`, {
            fix: 'Name a folder with --output.',
          })
        const folder = resolve(output)
        await outsideRuns(folder)
        const written = await writeFolder(format, source, folder)
        return {
          text: `${told} ${folder}: ${counted(written.length, 'file', 'files')}.`,
          json: { features: count, path: folder, files: written },
        }
      }
      const data = await fileOf(format, source)
      if (isStdout(output)) {
        if (typeof data !== 'string')
          throw new UserError(`The form ${format.name} is no text.`, { fix: 'Name a file with --output.' })
        return { text: `${told} the output.`, json: { features: count, path: '-' }, data }
      }
      const to = resolve(output)
      await writeTo(to, data)
      return { text: `${told} ${to}.`, json: { features: count, path: to } }
    })
  },
})
