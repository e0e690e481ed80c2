/** The stage import: an SAE that was trained elsewhere becomes a run, so that it can be validated like one of ours. */
import { existsSync } from 'node:fs'
import { copyFile, readdir, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import { readRunManifest } from '../../runs/folder.ts'
import { findDataset, findModel, findSae, hashed, hashing } from './inputs.ts'
import { mustBeAsHashed } from './reading.ts'
import { defineStage, ownConfig } from './stage.ts'

const ImportConfig = z.strictObject({
  from: z
    .string()
    .describe('Directory that SAELens, dictionary_learning (ae.pt), sparsify or Gemma Scope (params.npz) wrote'),
  site: z.string().optional().describe('Site the SAE reads; default: what its files say'),
})

export default defineStage({
  stage: 'import',
  about:
    'Takes an SAE of SAELens, dictionary_learning, sparsify or Gemma Scope into the run store, in the layout of SAELens, after opening it and checking its shapes. Naming its model and a text here lets later stages find them.',
  config: ImportConfig,
  figures: ['architecture', 'width', 'latents', 'site'],
  inputs: {
    from: ImportConfig.shape.from,
    model: z.string().optional().describe('Model directory that the SAE belongs to'),
    dataset: DatasetConfig.optional(),
  },
  async prepare(config, store, session) {
    const { from, site } = ownConfig(ImportConfig, config)
    const path = resolve(from)
    if (!existsSync(path) || (await readRunManifest(path))) {
      await findSae(store, from)
      throw new UserError(`${from} is a run already.`, { fix: `Use it as it is: pipeline validate --sae ${from}` })
    }
    const { findSae: findFiles, openSae } = await import('../../sae/formats/index.ts')
    const { directory: source, format } = await findFiles(path)
    const files = await hashed('from', source)
    const dataset = config.dataset as DatasetConfig | undefined
    const model = config.model === undefined ? [] : [await hashing(session, () => findModel(String(config.model)))]
    const text = dataset === undefined ? [] : [await hashing(session, () => findDataset(dataset.path))]
    return {
      config: {
        from: path,
        ...(site === undefined ? {} : { site }),
        ...(config.model === undefined ? {} : { model: config.model }),
        ...(dataset === undefined ? {} : { dataset }),
      },
      inputs: [files, ...model, ...text].map(({ input }) => input),
      async work({ directory }) {
        const sae = await openSae(source, site === undefined ? {} : { hook_name: site })
        try {
          const { architecture, width, latents, metadata } = sae
          if (format === 'saelens' && site === undefined) {
            for (const name of await readdir(source))
              if (name === 'cfg.json' || name.endsWith('.safetensors'))
                await copy(join(source, name), join(directory, name))
          } else {
            const { saveSae } = await import('../../sae/formats/saelens.ts')
            await saveSae(directory, sae)
          }
          await mustBeAsHashed(files)
          return { architecture, width, latents, site: metadata.hook_name }
        } finally {
          sae.dispose()
        }
      },
    }
  },
})

/** Under a temporary name first: a run that is cut here has no half of a file. */
async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, `${to}.partial`)
  await rename(`${to}.partial`, to)
}
