/** What is validated: SAE, model and text, found by a config of the stage and opened when there is work. */
import { basename, resolve } from 'node:path'
import { readText } from '../../core/files.ts'
import type { StageContext } from '../../core/stage.ts'
import type { DatasetConfig } from '../../datasets/config.ts'
import type { Model } from '../../model/model.ts'
import type { RunInput } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { readClaims } from '../../validation/claims/claim-file.ts'
import { ValidateConfig } from '../../validation/config.ts'
import { checkPower, type Sibling, type ValidateInputs } from '../../validation/inputs.ts'
import { ravelPaths, readRavel } from '../../validation/ravel-files.ts'
import type { Found } from './found.ts'
import { findDataset, findFile, findSae, hashing, loadModelAndText, loadText } from './inputs.ts'
import { captureOf, datasetOf, modelOf } from './origin.ts'
import { mustBeAsHashed } from './reading.ts'
import { captureMean, loadSaeOf } from './sae.ts'
import type { Session } from './session.ts'
import { ownConfig, type StageConfig } from './stage.ts'

export interface Validated {
  /** The config as a manifest keeps it. */
  readonly config: Record<string, unknown>
  readonly inputs: readonly RunInput[]
  /** Opens everything; whoever does closes it. The engine is started. */
  open(context: StageContext): Promise<{ readonly inputs: ValidateInputs; close(): void }>
  /** Opens everything, does the work on it and closes it again. The engine is started. */
  using<T>(context: StageContext, work: (inputs: ValidateInputs) => Promise<T>): Promise<T>
}

/** Finds SAE, model, text and claims; model and text are those that the SAE was captured from, unless others are named. */
export async function findValidated(config: StageConfig, store: RunStore, session: Session): Promise<Validated> {
  const settings = ownConfig(ValidateConfig, config)
  checkPower(settings)
  const sae = await findSae(store, String(config.sae))
  const model = await hashing(session, () => modelOf(store, sae, config.model as string | undefined))
  const text = await hashing(session, () => datasetOf(store, sae, config.dataset as DatasetConfig | undefined))
  const other = settings.outOfDistribution.dataset && (await otherText(session, settings.outOfDistribution.dataset))
  const siblings = await hashing(session, () =>
    Promise.all(settings.siblings.map(async name => asSibling(await findSae(store, name)))),
  )
  const { claimsFile } = settings
  const stated = claimsFile === undefined ? undefined : await readStated(claimsFile, session.now())
  const { ravel: ravelFolder, entities = 'city' } = settings.measures
  const ravel = ravelFolder === undefined ? undefined : await findRavel(ravelFolder, entities)
  const capture = await captureOf(store, sae)
  const found = [
    sae,
    model,
    text,
    ...(other ? [other] : []),
    ...siblings,
    ...(stated ? [stated] : []),
    ...(ravel?.files ?? []),
    ...(capture ? [capture] : []),
  ]
  const open: Validated['open'] = async context => {
    const opened: { dispose(): void }[] = []
    const close = () => {
      for (const one of opened.splice(0)) one.dispose()
    }
    try {
      const { mustHaveSite } = await import('../../latents/site.ts')
      const trained = await loadSaeOf(sae)
      opened.push(trained)
      const check = (host: Model) => mustHaveSite(host, trained)
      const loaded = await loadModelAndText(model, text, { ...context, check })
      opened.push(loaded.model)
      // The capture gives the mean that ablations put in place, where there is one.
      const mean = capture && (await captureMean(capture, trained.metadata.hook_name))
      const others: Sibling[] = []
      for (const sibling of siblings) {
        const loadedSibling = await loadSaeOf(sibling)
        opened.push(loadedSibling)
        others.push({ name: sibling.name, sae: loadedSibling })
      }
      const outOfDistribution = other && (await loadText(other, loaded, context))
      const inputs: ValidateInputs = {
        model: loaded.model,
        tokenizer: loaded.tokenizer,
        sae: trained,
        dataset: loaded.dataset,
        config: settings,
        siblings: others,
        ...(outOfDistribution ? { outOfDistribution } : {}),
        ...(stated ? { stated: stated.claims } : {}),
        ...(ravel ? { ravel: ravel.entities } : {}),
        ...(mean ? { captureMean: mean } : {}),
      }
      return { inputs, close }
    } catch (error) {
      close()
      throw error
    }
  }
  return {
    config: {
      ...settings,
      sae: sae.input.run ?? sae.directory,
      model: model.input.path,
      dataset: text.config,
      siblings: siblings.map(({ input, directory }) => input.run ?? directory),
    },
    inputs: found.map(({ input }) => input),
    open,
    async using(context, work) {
      const { inputs, close } = await open(context)
      try {
        return await work(inputs)
      } finally {
        close()
      }
    },
  }
}

/** Another SAE as an input of its own role; evidence calls it by its run or folder. */
function asSibling(found: Found): Found & { readonly name: string } {
  const { input, directory } = found
  return { ...found, input: { ...input, role: 'sibling' }, name: input.run ?? basename(directory) }
}

/** A file of claims as an input of its own role, and what it states. */
async function readStated(path: string, now: Date) {
  const found = await findFile('claimsFile', path)
  const text = await readText(found.directory, 'file of claims')
  return { ...found, claims: readClaims(text, path, found.input.sha256, now) }
}

/** A kind of entities of RAVEL, and its files as inputs of roles of their own, read as they were hashed. */
export async function findRavel(folder: string, kind: string) {
  const paths = await ravelPaths(resolve(folder), kind)
  const files = [await findFile('ravelAttributes', paths.attributes), await findFile('ravelPrompts', paths.prompts)]
  const entities = await readRavel(kind, paths)
  for (const file of files) await mustBeAsHashed(file)
  return { files, entities }
}

/** The source of text that is out of distribution, as an input of its own role. */
async function otherText(session: Session, config: DatasetConfig) {
  const { directory, input } = await hashing(session, () => findDataset(config.path))
  return { directory, input: { ...input, role: 'outOfDistributionDataset' }, config }
}
