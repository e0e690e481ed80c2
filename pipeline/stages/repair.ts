/** Making damaged files of a finished run again, with the bytes its manifest says. */
import { z } from 'zod'
import { CaptureConfig } from '../../capture/config.ts'
import { parseConfig } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { EngineName, ProcessConfig } from './common.ts'
import { findDataset, findModel, loadModelAndText } from './inputs.ts'
import type { Session } from './session.ts'
import { ownConfig } from './stage.ts'

/** What of a manifest's engine says how to start it again. */
const Engine = z.object({ name: EngineName, precision: ProcessConfig.precision })

/**
 * Makes files of a finished capture again. Throws a `UserError` for runs of other stages, for inputs that are no longer what
 * they were, and where the bytes come out different.
 */
export async function repairRun(
  { directory, manifest }: FinishedRun,
  files: readonly string[],
  { progress, signal }: Session,
): Promise<void> {
  if (manifest.stage !== 'capture')
    throw new UserError(
      `${files.join(', ')} of the ${manifest.stage} run ${manifest.id} cannot be made again alone, as shards of a capture can.`,
      {
        fix: 'Start its command again under another name.',
      },
    )
  const pathOf = (role: string) => {
    const path = manifest.inputs.find(input => input.role === role)?.path
    if (path === undefined) throw new UserError(`The manifest of ${manifest.id} names no ${role}.`)
    return path
  }
  const model = await findModel(pathOf('model'))
  const dataset = await findDataset(pathOf('dataset'))
  for (const { input } of [model, dataset])
    if (!manifest.inputs.some(({ role, sha256 }) => role === input.role && sha256 === input.sha256))
      throw new UserError(`The ${input.role} ${input.path} is not what ${manifest.id} was made from.`, {
        fix: 'Put the old one back.',
      })
  const { startEngine } = await import('../../engine/engine.ts')
  const { name, ...settings } = Engine.parse(manifest.engine)
  await startEngine({ engine: name, ...settings })
  const { repairCapture } = await import('../../capture/repair.ts')
  const config = ownConfig(CaptureConfig, manifest.config)
  const text = { ...parseConfig(DatasetConfig, manifest.config.dataset, 'dataset'), path: pathOf('dataset') }
  const context = { directory, seed: manifest.seed, progress, signal, metrics: memoryMetrics() }
  const loaded = await loadModelAndText(model, { ...dataset, config: text }, context)
  try {
    await repairCapture(context, { model: loaded.model, dataset: loaded.dataset, config }, files)
  } finally {
    loaded.model.dispose()
  }
}
