/** What an SAE was made from: the capture, model and text that its run's lineage records, as long as they are what they were. */
import { parseConfig } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import { inherited, inheritedRun, missingAncestors } from '../../runs/lineage.ts'
import type { RunStore } from '../../runs/store.ts'
import { type Found, nameOf, runAsInput } from './found.ts'
import { findDataset, findModel } from './inputs.ts'

/**
 * The model that an SAE's activations came from, unless one is named. A model that changed since, or none to be found,
 * is a `UserError`.
 */
export async function modelOf(store: RunStore, sae: Found, named: string | undefined): Promise<Found> {
  if (named !== undefined) return findModel(named)
  const { path, sha256 } = await recorded(store, sae, 'model', 'with --model')
  const found = await findModel(path)
  if (found.input.sha256 !== sha256) throw changed(sae, `The model ${path}`, '--model')
  return found
}

/** The dataset, with its settings, that an SAE's activations came from, unless one is named; errors as of `modelOf`. */
export async function datasetOf(
  store: RunStore,
  sae: Found,
  named: DatasetConfig | undefined,
): Promise<Found & { config: DatasetConfig }> {
  if (named !== undefined) return { ...(await findDataset(named.path)), config: named }
  const { path, sha256, config } = await recorded(store, sae, 'dataset', 'with --dataset.path')
  const found = await findDataset(path)
  if (found.input.sha256 !== sha256) throw changed(sae, `The text ${path}`, '--dataset.path')
  // Parsed again: a run of an earlier version lacks the settings that came since.
  return { ...found, config: parseConfig(DatasetConfig, { ...(config as object), path }, 'dataset') }
}

/** The capture that an SAE learned from, as an input; undefined for one that has none, or whose capture is gone. */
export async function captureOf(store: RunStore, sae: Found): Promise<ReturnType<typeof runAsInput> | undefined> {
  const capture = sae.run && (await inheritedRun(store, sae.run, 'capture'))
  return capture && runAsInput(capture, 'capture')
}

async function recorded(store: RunStore, sae: Found, role: 'model' | 'dataset', flag: string) {
  const origin = sae.run && (await inherited(store, sae.run, role))
  const what = role === 'model' ? 'model' : 'text'
  if (origin?.input.path) return { path: origin.input.path, sha256: origin.input.sha256, config: origin.config }
  const gone = sae.run ? await missingAncestors(store, sae.run) : []
  if (gone.length > 0)
    throw new UserError(
      `Which ${what} the SAE ${nameOf(sae)} was made from stands in the run ${gone.join(' or ')}, which is not in ${store.directory} any more.`,
      { fix: `Put that run back, or name the ${what} ${flag}.` },
    )
  throw new UserError(`It is not recorded which ${what} the SAE ${nameOf(sae)} was made from.`, {
    fix: `Name it ${flag}.`,
  })
}

function changed(sae: Found, what: string, flag: string): UserError {
  return new UserError(`${what} has changed since the SAE ${nameOf(sae)} was made from it.`, {
    fix: `Put the old files back, or name what to use with ${flag}.`,
  })
}
