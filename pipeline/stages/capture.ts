/** The stage capture: model × text → activation shards. */

import { z } from 'zod'
import { checkAllocation } from '../../capture/allocation.ts'
import { CaptureGates, judgeCapture } from '../../capture/audit/gates.ts'
import { auditLines } from '../../capture/audit/told.ts'
import { CaptureConfig } from '../../capture/config.ts'
import { parseConfig } from '../../core/config.ts'
import { inLittleMemory } from '../../core/memory.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import type { Model } from '../../model/model.ts'
import { firstFigures } from '../../runs/first-figures.ts'
import { readVerified } from '../../runs/read.ts'
import { findDataset, findModel, hashing, loadModelAndText } from './inputs.ts'
import { defineStage, ownConfig } from './stage.ts'

/** Garbage that may gather: windows are read anew many times, and what they leave would double the memory of a capture. */
const mostGarbage = 48 << 20

export default defineStage({
  stage: 'capture',
  about:
    'Runs a model over text and keeps its activations at the named sites, sampled by stratum, as Arrow shards with a manifest that says how they were sampled.',
  config: CaptureConfig,
  figures: firstFigures.capture,
  divisible: true,
  inputs: {
    model: z.string().describe('Hugging Face model directory, or the built-in model toyworld'),
    dataset: DatasetConfig,
  },
  judged: { gates: CaptureGates },
  async prepare(config, _store, session) {
    const settings = ownConfig(CaptureConfig, config)
    checkAllocation(settings)
    const datasetConfig = parseConfig(DatasetConfig, config.dataset, 'dataset')
    const model = await hashing(session, () => findModel(String(config.model)))
    const dataset = await hashing(session, () => findDataset(datasetConfig.path))
    const text = { ...dataset, config: datasetConfig }
    return {
      config: { model: model.input.path, dataset: datasetConfig, ...settings },
      inputs: [model.input, dataset.input],
      work: context =>
        inLittleMemory(mostGarbage, async () => {
          const { capture } = await import('../../capture/capture.ts')
          const loaded = await loadModelAndText(model, text, { ...context, check: await sitesIn(settings.sites) })
          try {
            return await capture(context, { model: loaded.model, dataset: loaded.dataset, config: settings })
          } finally {
            loaded.model.dispose()
          }
        }),
      async divide(context) {
        const { divideCapture } = await import('../../capture/divide.ts')
        const loaded = await loadModelAndText(model, text, { ...context, check: await sitesIn(settings.sites) })
        const close = () => loaded.model.dispose()
        try {
          return { ...(await divideCapture(context, { ...loaded, config: settings })), close }
        } catch (error) {
          close()
          throw error
        }
      },
    }
  },
  async judge(run, { gates }) {
    const { readCaptureManifest } = await import('../../datasets/shards/index.ts')
    const { rows, audit } = await readVerified(run, ['capture.json'], () => readCaptureManifest(run.directory))
    return {
      gates: judgeCapture(CaptureGates.parse(gates), rows, audit),
      notes: audit ? auditLines(rows, audit) : [],
    }
  },
})

/** Refuses sites that a model does not have before its text is tokenised, which may take hours. */
async function sitesIn(sites: readonly string[]): Promise<(model: Model) => void> {
  const { findSites } = await import('../../capture/forward.ts')
  return model => void findSites(model, sites)
}
