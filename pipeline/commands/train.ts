/** `pipeline train`: activation shards → an SAE. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { TrainConfig } from '../../sae/config.ts'
import { findRun } from '../inputs.ts'
import { defineStage, ownConfig } from '../stage.ts'

export default defineStage({
  stage: 'train',
  about:
    'Fits a sparse autoencoder on the activations of a capture run. The result is a directory that SAELens opens, too.',
  examples: ['pipeline train --capture capture-calm-heron-3f2a --latents 512 --k 16', 'pipeline train -c train.yaml'],
  config: TrainConfig,
  inputs: { capture: z.string().describe('Id or directory of the capture run to learn from') },
  async prepare(config, store) {
    if (typeof config.capture !== 'string')
      throw new UserError('train needs a capture run.', { fix: 'Name it with --capture.' })
    const capture = await findRun(store, config.capture, 'capture', ['capture'])
    const settings = ownConfig(TrainConfig, { ...config, capture: capture.directory })
    return {
      config: { ...settings, capture: capture.input.run },
      inputs: [capture.input],
      async work(context) {
        const { openCapture } = await import('../../datasets/shards/index.ts')
        const { trainSae } = await import('../../sae/train.ts')
        const rows = await openCapture(capture.directory)
        try {
          return await trainSae(context, { capture: rows, config: settings })
        } finally {
          await rows.close()
        }
      },
    }
  },
  next: ({ id }) => `pipeline validate --sae ${id}`,
})
