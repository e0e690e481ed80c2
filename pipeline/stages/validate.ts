/** The stage validate: model × SAE × held-out text → evidence. */
import { join } from 'node:path'
import { z } from 'zod'
import { DatasetConfig } from '../../datasets/config.ts'
import { ValidateConfig } from '../../validation/config.ts'
import { readEvidence } from '../../validation/evidence.ts'
import { GatesConfig, judgeGates } from '../../validation/judging/gates.ts'
import { reading } from './reading.ts'
import { defineStage } from './stage.ts'
import { findValidated } from './validated.ts'

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
    const { using, ...found } = await findValidated(config, store, session)
    return {
      ...found,
      async work(context) {
        const { validate } = await import('../../validation/validate.ts')
        return using(context, inputs => validate(context, inputs))
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
