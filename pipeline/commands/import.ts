/** `pipeline import`: an SAE that was trained elsewhere becomes a run, so that it can be validated like one of ours. */
import { copyFile, readdir, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import { findDataset, findModel, findSae, hashing } from '../inputs.ts'
import { defineStage, ownConfig } from '../stage.ts'

const ImportConfig = z.strictObject({
  from: z.string().describe("Directory in SAELens's layout: cfg.json and sae_weights.safetensors"),
})

export default defineStage({
  stage: 'import',
  about:
    'Takes an SAE in the layout of SAELens into the run store, after opening it and checking its shapes. Naming its model and a text here lets later stages find them.',
  examples: ['pipeline import --from my-sae --model ./my-model --dataset text/ --name theirs'],
  config: ImportConfig,
  inputs: {
    from: ImportConfig.shape.from,
    model: z.string().optional().describe('Model directory that the SAE belongs to'),
    dataset: DatasetConfig.optional(),
  },
  async prepare(config, store, session) {
    const { from } = ownConfig(ImportConfig, config)
    const found = await findSae(store, from)
    if (found.run)
      throw new UserError(`${from} is a run already.`, { fix: `Use it as it is: pipeline validate --sae ${from}` })
    const dataset = config.dataset as DatasetConfig | undefined
    const model = config.model === undefined ? [] : [await hashing(session, () => findModel(String(config.model)))]
    const text = dataset === undefined ? [] : [await hashing(session, () => findDataset(dataset.path))]
    return {
      config: {
        from: resolve(from),
        ...(config.model === undefined ? {} : { model: config.model }),
        ...(dataset === undefined ? {} : { dataset }),
      },
      inputs: [{ ...found.input, role: 'from' }, ...[...model, ...text].map(({ input }) => input)],
      async work({ directory }) {
        const { loadSae } = await import('../../sae/formats/saelens.ts')
        for (const name of await readdir(found.directory))
          if (name === 'cfg.json' || name.endsWith('.safetensors'))
            await copy(join(found.directory, name), join(directory, name))
        const sae = await loadSae(directory)
        try {
          const { architecture, width, latents, metadata } = sae
          return { architecture, width, latents, site: metadata.hook_name }
        } finally {
          sae.dispose()
        }
      },
    }
  },
  next: ({ id }) => `pipeline validate --sae ${id}`,
})

/** Under a temporary name first: a run that is cut here has no half of a file. */
async function copy(from: string, to: string): Promise<void> {
  await copyFile(from, `${to}.partial`)
  await rename(`${to}.partial`, to)
}
