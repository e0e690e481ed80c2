/** The stage label: what each feature of an SAE is about. */

import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { StageContext } from '../../core/stage.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import { LabelConfig } from '../../labels/config.ts'
import type { Model } from '../../model/model.ts'
import { firstFigures } from '../../runs/first-figures.ts'
import { nameOf } from './found.ts'
import { findFile, findRun, findSae, hashing, loadModelAndText, namesOf } from './inputs.ts'
import { datasetOf, modelOf } from './origin.ts'
import { reading } from './reading.ts'
import { loadSaeOf } from './sae.ts'
import type { Session } from './session.ts'
import { defineStage, ownConfig } from './stage.ts'

export default defineStage({
  stage: 'label',
  about:
    'Describes every latent of an SAE on held-out text: top examples, logit effects, density, and a label by rule, or by a language model that is asked (--explainer), with its scores; joined with the evidence of a validate run. Model and text are those the SAE was captured from, unless others are named.',
  config: LabelConfig,
  figures: firstFigures.label,
  inputs: {
    sae: z.string().describe('Id or directory of the run that trained the SAE, or an SAELens directory'),
    evidence: z.string().optional().describe('Id or directory of a validate run, whose verdicts are joined'),
    model: z.string().optional().describe('Model directory (default: the one the SAE was captured from)'),
    dataset: DatasetConfig.optional(),
  },
  judged: {
    yes: z
      .boolean()
      .default(false)
      .describe('Do not ask before requests are sent to a language model, which may cost money'),
  },
  float32Only: true,
  divisible: true,
  async prepare(config, store, session) {
    const settings = ownConfig(LabelConfig, config)
    const sae = await findSae(store, settings.sae)
    const evidence = settings.evidence && (await findRun(store, settings.evidence, 'evidence', ['validate']))
    const stability = settings.stability === undefined ? undefined : await findFile('stability', settings.stability)
    const human =
      settings.explainer?.human === undefined ? undefined : await findFile('human', settings.explainer.human)
    const model = await hashing(session, () => modelOf(store, sae, settings.model))
    const text = await hashing(session, () => datasetOf(store, sae, settings.dataset))
    /** Loads everything that is described or joined; `close` frees it. */
    const open = async (context: StageContext) => {
      const { mustHaveSite } = await import('../../latents/site.ts')
      const { readStability } = await import('../../sae/measure/stability.ts')
      const { readEvidence } = await import('../../validation/evidence.ts')
      const found = evidence && {
        evidence: await reading(evidence, ['evidence.json'], () =>
          readEvidence(join(evidence.directory, 'evidence.json')),
        ),
        name: nameOf(evidence),
        names: namesOf(evidence.run.manifest.inputs),
      }
      const trained = await loadSaeOf(sae)
      const check = (host: Model) => mustHaveSite(host, trained)
      const loaded = await loadModelAndText(model, text, { ...context, check }).catch(error => {
        trained.dispose()
        throw error
      })
      const close = () => {
        trained.dispose()
        loaded.model.dispose()
      }
      try {
        const cosines = stability && (await reading(stability, [], () => readStability(stability.directory, trained)))
        const names = namesOf([sae.input, model.input, text.input])
        const joined = { evidence: found || undefined, stability: cosines, names }
        return { inputs: { ...loaded, ...joined, sae: trained, config: settings }, close }
      } catch (error) {
        close()
        throw error
      }
    }
    return {
      config: { ...settings, sae: sae.input.run ?? sae.directory, model: model.input.path, dataset: text.config },
      inputs: [
        sae,
        ...(evidence ? [evidence] : []),
        ...(stability ? [stability] : []),
        ...(human ? [human] : []),
        model,
        text,
      ].map(({ input }) => input),
      async work(context) {
        const { label } = await import('../../labels/label.ts')
        const { explainerOf } = await import('../../labels/explain/explainer.ts')
        const { readHuman } = await import('../../labels/explain/human.ts')
        const { cacheDirectory } = await import('../../engine/install/places.ts')
        const people = human ? await reading(human, [], () => readHuman(human.directory)) : []
        const { inputs, close } = await open(context)
        try {
          const explain =
            settings.explainer &&
            explainerOf({
              ...{ config: settings.explainer, context, environment: process.env, human: people },
              cache: join(cacheDirectory(), 'answers'),
              tested: inputs.evidence?.evidence.features.map(({ claim }) => claim.feature) ?? [],
              agree: estimate => agree(estimate, config.yes === true, session),
            })
          return await label(context, { ...inputs, explain })
        } finally {
          close()
        }
      },
      async divide(context) {
        const { divideLabels } = await import('../../labels/divide.ts')
        const { inputs, close } = await open(context)
        try {
          const units = await divideLabels(context, inputs)
          return {
            ...units,
            close() {
              units.close()
              close()
            },
          }
        } catch (error) {
          close()
          throw error
        }
      },
    }
  },
})

/** Goes on where the person says yes, before or now; with nobody to ask, it does not. */
async function agree(estimate: string, yes: boolean, { ask, progress }: Session): Promise<void> {
  if (yes) return progress.note(estimate)
  if (!ask)
    throw new UserError(`${estimate} Nobody is there to agree to that.`, {
      fix: 'Give --yes to go on without being asked, or start it in a terminal.',
    })
  if (!(await ask(`${estimate} Go on?`)))
    throw new UserError('Nothing was sent: it was not agreed to.', {
      fix: 'Start it again, with fewer latents or scores.',
    })
}
