/** What a label run is about, as other tools want to be told: its SAE, model and text, found through its manifest. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { nameOfPath, readJson } from '../../core/files.ts'
import { blockOf } from '../../core/sites.ts'
import type { LabelSource, LabelsAbout } from '../../labels/formats/format.ts'
import type { FinishedRun, RunInput } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { type Found, nameOf } from './found.ts'
import { findModel, findSae } from './inputs.ts'
import { loadSaeOf } from './sae.ts'

/** A label run with its SAE. */
export interface Labelled {
  readonly about: LabelsAbout
  /** Decoder rows, where they were asked for. */
  readonly vector: LabelSource['vector']
}

/** The user that Neuronpedia's own exports name as the creator. */
const neuronpediaCreator = 'clkht01d40000jv08hvalcvly'

/**
 * Opens the SAE that a label run is about, and reads what its model says of itself. Throws a `UserError` where SAE or model
 * are gone, or are others by now under the same name.
 */
export async function openLabelled(
  store: RunStore,
  { run }: Found & { readonly run: FinishedRun },
  vectors: boolean,
  names: { readonly set?: string | undefined; readonly creator?: string | undefined },
): Promise<Labelled> {
  const { manifest } = run
  const input = (role: string) => {
    const found = manifest.inputs.find(one => one.role === role)
    if (!found) throw new UserError(`The run ${manifest.id} does not say which ${role} it is about.`)
    return found
  }
  const saeInput = input('sae')
  const found = await findSae(store, saeInput.run ?? saeInput.path!)
  mustBeOf(manifest.id, saeInput, found)
  const config = (await readJson(join(found.directory, 'cfg.json'), 'config of the SAE')) as Record<string, unknown>
  const model = await modelFacts(manifest.id, input('model'))
  const site = String((config.metadata as Record<string, unknown> | undefined)?.hook_name ?? config.hook_name ?? '')
  const text = input('dataset').path ?? ''
  const summary = (manifest.summary ?? {}) as Record<string, unknown>
  const dataset = manifest.config.dataset as { context?: number } | undefined
  const about: LabelsAbout = {
    ...{ run: manifest.id, seed: manifest.seed, ...model, site, layer: blockOf(site)?.layer ?? 0 },
    ...{
      latents: Number(config.d_sae ?? summary.latents),
      set: names.set ?? saeInput.run ?? nameOfPath(saeInput.path!),
    },
    ...{ dataset: nameOfPath(text), tokens: Number(summary.tokens), context: dataset?.context ?? model.context },
    ...{ creator: names.creator ?? neuronpediaCreator, finished: Date.parse(manifest.finished!), saeConfig: config },
  }
  return { about, vector: vectors ? (await decoderRows(found)).row : undefined }
}

/** Throws a `UserError` where what lies under an input's name is not what the run was made from. */
function mustBeOf(run: string, recorded: RunInput, found: Found): void {
  if (found.input.sha256 === recorded.sha256) return
  throw new UserError(
    `${run} is about another ${recorded.role === 'sae' ? 'SAE' : recorded.role} than what is now ${nameOf(found)}: its hash was ${recorded.sha256.slice(0, 12)}, not ${found.input.sha256.slice(0, 12)}.`,
    { fix: `Put back what was there, or label what is there now: pipeline label --sae …` },
  )
}

/** The decoder rows [width] of an SAE, on the host, with its hash and size. */
export async function decoderRows(
  found: Found,
): Promise<{ readonly hash: string; readonly latents: number; row(latent: number): Float32Array }> {
  const { startEngine } = await import('../../engine/engine.ts')
  await startEngine()
  const sae = await loadSaeOf(found)
  try {
    const decoder = sae.decoder()
    const rows = await decoder.data<'float32'>()
    const width = decoder.shape[1]
    decoder.dispose()
    const { hash, latents } = sae
    return { hash, latents, row: latent => rows.subarray(latent * width, (latent + 1) * width) }
  } finally {
    sae.dispose()
  }
}

/** Sizes of a model, from its config. */
async function modelFacts(
  run: string,
  recorded: RunInput,
): Promise<Pick<LabelsAbout, 'model' | 'layers' | 'neurons'> & { context: number }> {
  const found = await findModel(recorded.path!)
  mustBeOf(run, recorded, found)
  const { directory, input } = found
  if (!existsSync(join(directory, 'config.json'))) throw new UserError(`There is no model at ${directory}.`)
  const { architectureOf } = await import('../../model/families/index.ts')
  const value = await readJson(join(directory, 'config.json'), 'config of the model')
  const { config } = architectureOf(value as Record<string, unknown>)
  return {
    model: nameOfPath(input.path!),
    ...{ layers: config.layers, neurons: config.mlpWidth, context: config.context },
  }
}
