/** The stage label: what each feature of an SAE is about. */
import { join } from 'node:path'
import { z } from 'zod'
import { DatasetConfig } from '../../datasets/config.ts'
import { LabelConfig } from '../../labels/config.ts'
import { nameOf } from './found.ts'
import { findFile, findRun, findSae, hashing, loadModelAndText, namesOf } from './inputs.ts'
import { datasetOf, modelOf } from './origin.ts'
import { reading } from './reading.ts'
import { loadSaeOf } from './sae.ts'
import { defineStage, ownConfig } from './stage.ts'

export default defineStage({
  stage: 'label',
  about:
    'Describes every latent of an SAE on held-out text: top examples, logit effects, density, and a label by rule with its scores; joined with the evidence of a validate run. Model and text are those the SAE was captured from, unless others are named.',
  config: LabelConfig,
  figures: ['alive', 'labelled', 'meanF1'],
  inputs: {
    sae: z.string().describe('Id or directory of the run that trained the SAE, or an SAELens directory'),
    evidence: z.string().optional().describe('Id or directory of a validate run, whose verdicts are joined'),
    model: z.string().optional().describe('Model directory (default: the one the SAE was captured from)'),
    dataset: DatasetConfig.optional(),
  },
  float32Only: true,
  async prepare(config, store, session) {
    const settings = ownConfig(LabelConfig, config)
    const sae = await findSae(store, settings.sae)
    const evidence = settings.evidence && (await findRun(store, settings.evidence, 'evidence', ['validate']))
    const stability = settings.stability === undefined ? undefined : await findFile('stability', settings.stability)
    const model = await hashing(session, () => modelOf(store, sae, settings.model))
    const text = await hashing(session, () => datasetOf(store, sae, settings.dataset))
    return {
      config: { ...settings, sae: sae.input.run ?? sae.directory, model: model.input.path, dataset: text.config },
      inputs: [sae, ...(evidence ? [evidence] : []), ...(stability ? [stability] : []), model, text].map(
        ({ input }) => input,
      ),
      async work(context) {
        const { label } = await import('../../labels/label.ts')
        const { readStability } = await import('../../sae/measure/stability.ts')
        const { readEvidence } = await import('../../validation/evidence.ts')
        const found = evidence && {
          evidence: await reading(evidence, ['evidence.json'], () =>
            readEvidence(join(evidence.directory, 'evidence.json')),
          ),
          name: nameOf(evidence),
          names: namesOf(evidence.run.manifest.inputs),
        }
        const loaded = await loadModelAndText(model, text, context)
        const trained = await loadSaeOf(sae)
        try {
          const cosines = stability && (await reading(stability, [], () => readStability(stability.directory, trained)))
          return await label(context, {
            ...loaded,
            sae: trained,
            evidence: found || undefined,
            stability: cosines,
            names: namesOf([sae.input, model.input, text.input]),
            config: settings,
          })
        } finally {
          trained.dispose()
          loaded.model.dispose()
        }
      },
    }
  },
})
