/** The stage report: one HTML page about an SAE and its features. */

import { z } from 'zod'
import { ReportConfig } from '../../dashboard/report/config.ts'
import { firstFigures } from '../../runs/first-figures.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { nameOf } from './found.ts'
import { findRun, findSae } from './inputs.ts'
import { captureOf } from './origin.ts'
import { reading, readingRuns } from './reading.ts'
import { saeFiles } from './sae.ts'
import { defineStage, ownConfig } from './stage.ts'

/** What of a validate run is shown; raw selectivity is there where a claim has a concept. */
const evidenceFiles = ({ manifest }: FinishedRun) => [
  'evidence.json',
  ...('selectivity.parquet' in manifest.files ? ['selectivity.parquet'] : []),
]

export default defineStage({
  stage: 'report',
  about:
    'Writes one self-contained HTML page: how the SAE was trained, what its features are about, and which of them have causal evidence.',
  config: ReportConfig,
  figures: firstFigures.report,
  inputs: {
    sae: z.string().describe('Id or directory of the run that trained the SAE'),
    evidence: z.string().optional().describe('Id or directory of the validate run to show'),
    labels: z.string().optional().describe('Id or directory of the label run to show'),
  },
  needsEngine: false,
  async prepare(config, store) {
    const settings = ownConfig(ReportConfig, config)
    const sae = await findSae(store, settings.sae)
    const validate = settings.evidence && (await findRun(store, settings.evidence, 'evidence', ['validate']))
    const label = settings.labels && (await findRun(store, settings.labels, 'labels', ['label']))
    const train = sae.run?.manifest.stage === 'train' ? sae.run : undefined
    const capture = await captureOf(store, sae)
    const found = [sae, ...(validate ? [validate] : []), ...(label ? [label] : [])]
    return {
      // The page names the runs, so their names are part of what its bytes depend on.
      config: { ...settings, shows: found.map(nameOf) },
      inputs: [...found, ...(capture ? [capture] : [])].map(({ input }) => input),
      async work(context) {
        const { report } = await import('../../dashboard/report/report.ts')
        const { hashSae } = await import('../../sae/formats/saelens.ts')
        const saeHash = await reading(sae, saeFiles, () => hashSae(sae.directory))
        const shown = [
          ...(capture ? [[capture.run, ['capture.json']] as const] : []),
          ...(train ? [[train, ['metrics.jsonl']] as const] : []),
          ...(validate ? [[validate.run, evidenceFiles(validate.run)] as const] : []),
          ...(label ? [[label.run, ['features.jsonl', 'examples.parquet']] as const] : []),
        ]
        const inputs = {
          title: settings.title ?? nameOf(sae),
          sae: { name: nameOf(sae), hash: saeHash },
          capture: capture?.run,
          train,
          validate: validate ? validate.run : undefined,
          label: label ? label.run : undefined,
          features: settings.features,
        }
        const summary = await readingRuns(shown, () => report(context, inputs))
        return { ...summary, page: 'report.html' }
      },
    }
  },
})
