/** The stage validate: model × SAE × held-out text → evidence. */
import { join } from 'node:path'
import { z } from 'zod'
import { DatasetConfig } from '../../datasets/config.ts'
import { ValidateConfig } from '../../validation/config.ts'
import { readEvidence } from '../../validation/evidence.ts'
import { GatesConfig, judgeGates } from '../../validation/judging/gates.ts'
import { findDataset, findSae, hashing, loadModelAndText, loadText } from './inputs.ts'
import { captureOf, datasetOf, modelOf } from './origin.ts'
import { reading } from './reading.ts'
import { captureMean, loadSaeOf } from './sae.ts'
import type { Session } from './session.ts'
import { defineStage, ownConfig } from './stage.ts'

export default defineStage({
  stage: 'validate',
  about:
    'Puts features of an SAE to a causal test on held-out text: ablation and steering against random directions and other latents, with effect sizes, intervals, permutation tests and a verdict for each. Model and text are those the SAE was captured from, unless others are named.',
  config: ValidateConfig,
  figures: ['passed', 'failed', 'inconclusive', 'fvu', 'ceRecoveredMean'],
  inputs: {
    sae: z.string().describe('Id or directory of the run that trained the SAE, or an SAELens directory'),
    model: z.string().optional().describe('Model directory (default: the one the SAE was captured from)'),
    dataset: DatasetConfig.optional(),
  },
  judged: { gates: GatesConfig },
  float32Only: true,
  async prepare(config, store, session) {
    const settings = ownConfig(ValidateConfig, config)
    const sae = await findSae(store, String(config.sae))
    const model = await hashing(session, () => modelOf(store, sae, config.model as string | undefined))
    const text = await hashing(session, () => datasetOf(store, sae, config.dataset as DatasetConfig | undefined))
    const other = settings.outOfDistribution.dataset && (await otherText(session, settings.outOfDistribution.dataset))
    const capture = await captureOf(store, sae)
    return {
      config: { ...settings, sae: sae.input.run ?? sae.directory, model: model.input.path, dataset: text.config },
      // The capture gives the mean that ablations put in place, where there is one.
      inputs: [sae, model, text, ...(other ? [other] : []), ...(capture ? [capture] : [])].map(({ input }) => input),
      async work(context) {
        const { validate } = await import('../../validation/validate.ts')
        const loaded = await loadModelAndText(model, text, context)
        const trained = await loadSaeOf(sae)
        const mean = capture && (await captureMean(capture, trained.metadata.hook_name))
        try {
          const outOfDistribution = other && (await loadText(other, loaded, context))
          return await validate(context, {
            model: loaded.model,
            tokenizer: loaded.tokenizer,
            sae: trained,
            dataset: loaded.dataset,
            config: settings,
            ...(outOfDistribution ? { outOfDistribution } : {}),
            ...(mean ? { captureMean: mean } : {}),
          })
        } finally {
          trained.dispose()
          loaded.model.dispose()
        }
      },
    }
  },
  async judge(run, { gates }) {
    const path = join(run.directory, 'evidence.json')
    return judgeGates(
      GatesConfig.parse(gates),
      await reading({ ...run, run }, ['evidence.json'], () => readEvidence(path)),
    )
  },
})

/** The source of text that is out of distribution, as an input of its own role. */
async function otherText(session: Session, config: DatasetConfig) {
  const { directory, input } = await hashing(session, () => findDataset(config.path))
  return { directory, input: { ...input, role: 'outOfDistributionDataset' }, config }
}
