/** The stage import: an SAE that was trained elsewhere becomes a run, so that it can be validated like one of ours. */

import { existsSync } from 'node:fs'
import { copyFile, rename } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import { firstFigures } from '../../runs/first-figures.ts'
import { readRunManifest } from '../../runs/folder.ts'
import type { SaeMetadata } from '../../sae/sae.ts'
import { hashed } from './found.ts'
import { findDataset, findModel, findSae, hashing } from './inputs.ts'
import { mustBeAsHashed } from './reading.ts'
import { defineStage, ownConfig } from './stage.ts'

const ImportConfig = z.strictObject({
  from: z.string().describe('Directory that another library saved an SAE in, or the file that holds its weights'),
  site: z.string().optional().describe('Site the SAE reads; default: what its files say'),
  target: z.string().optional().describe('Site that a transcoder predicts; default: what its files say'),
})

export default defineStage({
  stage: 'import',
  about:
    'Takes an SAE of another library into the run store, in the layout of SAELens, after opening it and checking its shapes; docs/formats.md lists the layouts that are known. Naming its model and a text here lets later stages find them.',
  config: ImportConfig,
  figures: firstFigures.import,
  inputs: {
    from: ImportConfig.shape.from,
    model: z.string().optional().describe('Model directory that the SAE belongs to'),
    dataset: DatasetConfig.optional(),
  },
  async prepare(config, store, session) {
    const { from, site, target } = ownConfig(ImportConfig, config)
    const said = {
      ...(site === undefined ? {} : { hook_name: site }),
      ...(target === undefined ? {} : { hook_name_out: target }),
    }
    const path = resolve(from)
    if (!existsSync(path) || (await readRunManifest(path))) {
      await findSae(store, from)
      throw new UserError(`${from} is a run already.`, { fix: `Use it as it is: pipeline validate --sae ${from}` })
    }
    const { findSaeFiles, noticesOf, openSae } = await import('../../sae/formats/index.ts')
    const { source, directory: folder, format } = await findSaeFiles(path)
    const files = await hashed('from', source)
    const dataset = config.dataset as DatasetConfig | undefined
    const model = config.model === undefined ? [] : [await hashing(session, () => findModel(String(config.model)))]
    const text = dataset === undefined ? [] : [await hashing(session, () => findDataset(dataset.path))]
    return {
      config: {
        from: path,
        ...(site === undefined ? {} : { site }),
        ...(target === undefined ? {} : { target }),
        ...(config.model === undefined ? {} : { model: config.model }),
        ...(dataset === undefined ? {} : { dataset }),
      },
      inputs: [files, ...model, ...text].map(({ input }) => input),
      async work({ directory }) {
        const sae = await openSae(source, said)
        try {
          const { architecture, width, latents, metadata } = sae
          for (const notice of noticesOf(sae)) session.progress.note(notice)
          if (metadata.hook_name === '')
            session.progress.note(`The files do not say which site the SAE reads; later stages need it: --site.`)
          const { isFinished, saveSae } = await import('../../sae/formats/saelens.ts')
          if (format === 'saelens' && site === undefined && target === undefined && (await isFinished(folder))) {
            for (const name of ['cfg.json', 'sae_weights.safetensors', 'sparsity.safetensors'])
              if (existsSync(join(folder, name))) await copy(join(folder, name), join(directory, name))
          } else {
            await saveSae(directory, sae)
            const densities = join(folder, 'sparsity.safetensors')
            if (format === 'saelens' && existsSync(densities))
              await copy(densities, join(directory, basename(densities)))
          }
          await mustBeAsHashed(files)
          return { architecture, width, latents, site: metadata.hook_name, ...predicted(metadata) }
        } finally {
          sae.dispose()
        }
      },
    }
  },
})

/** The site that a transcoder predicts. */
function predicted({ hook_name_out: target }: SaeMetadata): { target?: string } {
  return typeof target === 'string' ? { target } : {}
}

/** Under a temporary name first: a run that is cut here has no half of a file. */
async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, `${to}.partial`)
  await rename(`${to}.partial`, to)
}
