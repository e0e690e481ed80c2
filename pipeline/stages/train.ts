/** The stage train: activation shards → an SAE, or several that share one pass over them. */

import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { StageContext } from '../../core/stage.ts'
import type { Capture } from '../../datasets/shards/index.ts'
import { firstFigures } from '../../runs/first-figures.ts'
import type { RunStore } from '../../runs/store.ts'
import { TrainConfig } from '../../sae/training/config.ts'
import { membersOf, TrainManyConfig } from '../../sae/training/grid.ts'
import type { TrainOptions } from '../../sae/training/job.ts'
import { findFidelity } from './fidelity.ts'
import { findRun, hashing } from './inputs.ts'
import { reading, watchRun } from './reading.ts'
import type { Session } from './session.ts'
import { defineStage } from './stage.ts'

export default defineStage({
  stage: 'train',
  about:
    'Fits a sparse autoencoder on the activations of a capture run; the result is a directory that SAELens opens, too. With a grid or a list, fits several that share one pass over the activations; each becomes the run that it would be alone.',
  config: TrainManyConfig,
  figures: firstFigures.train,
  inputs: { capture: z.string().describe('Id or directory of the capture run to learn from') },

  async prepare(config, store, session) {
    const { inputs, using, settingsOf, recorded } = await findRows(config, store, session)
    const settings = settingsOf(config)
    return {
      config: recorded(settings),
      inputs,
      work: context =>
        using(context, async (capture, options, mustBeUntouched) => {
          const { trainSae } = await import('../../sae/training/train.ts')
          const summary = await trainSae(context, { capture, config: settings, ...options })
          await mustBeUntouched()
          return summary
        }),
    }
  },

  async prepareMany(config, store, session) {
    const { grid, saes, name, seed } = config
    if (grid === undefined && saes === undefined) return undefined
    const members = membersOf({ ...trainKeys(config), grid, saes }, seed)
    const { inputs, using, settingsOf, recorded } = await findRows(config, store, session)
    const settings = members.map(member => settingsOf(member.config))
    return {
      members: members.map((member, i) => ({
        label: member.label,
        name: member.name ?? (name === undefined ? undefined : `${name}-${member.slug}`),
        seed: (settings[i]!.seed as number | undefined) ?? seed,
        config: recorded(settings[i]!),
        inputs,
      })),
      work: jobs =>
        using(jobs[0]!.context, async (capture, options, mustBeUntouched) => {
          const { trainSaes } = await import('../../sae/training/train.ts')
          const one = ({ index, context, finish }: (typeof jobs)[number]) => ({
            context,
            config: settings[index]!,
            label: members[index]!.label,
            finished: async (summary: object) => {
              await mustBeUntouched()
              await finish(summary)
            },
          })
          await trainSaes(jobs.map(one), capture, options)
        }),
    }
  },
})

/** The keys of one SAE, of a config that has been parsed. */
function trainKeys(config: Readonly<Record<string, unknown>>): TrainConfig {
  const own = Object.entries(config).filter(([key, value]) => key in TrainConfig.shape && value !== undefined)
  return Object.fromEntries(own) as TrainConfig
}

/** The activations to learn from, and what SAEs are measured with meanwhile. */
async function findRows(config: Readonly<Record<string, unknown>>, store: RunStore, session: Session) {
  if (typeof config.capture !== 'string')
    throw new UserError('train needs a capture run.', { fix: 'Name it with --capture.' })
  const found = await findRun(store, config.capture, 'capture', ['capture'])
  const { input, directory } = found
  const settingsOf = (own: Readonly<Record<string, unknown>>) => ({ ...trainKeys(own), capture: directory })
  const asked = settingsOf(config).fidelity
  const fidelity = asked && (await hashing(session, () => findFidelity(store, found, asked)))
  return {
    inputs: [input, ...(fidelity?.inputs ?? [])],
    settingsOf,
    /** Settings as the manifest keeps them. */
    recorded: (settings: TrainConfig) => ({ ...settings, capture: input.run, ...fidelity?.recorded }),
    /**
     * Opens what the work reads, and closes it whatever comes. The work reads rows long after their shards were hashed: it
     * calls `mustBeUntouched`, which throws where one was changed meanwhile, before it closes a run.
     */
    async using<T>(
      context: StageContext,
      work: (rows: Capture, options: TrainOptions, mustBeUntouched: () => Promise<void>) => Promise<T>,
    ): Promise<T> {
      const { openCapture } = await import('../../datasets/shards/index.ts')
      const mustBeUntouched = await watchRun(found.run)
      const rows = await reading(found, ['capture.json'], () => openCapture(directory))
      const probes = fidelity?.open(rows, context)
      try {
        return await work(rows, probes ? { fidelity: site => probes.at(site) } : {}, mustBeUntouched)
      } finally {
        probes?.dispose()
        rows.close()
      }
    },
  }
}
