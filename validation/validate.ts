/**
 * The validate stage: model × SAE × held-out text → evidence.
 *
 * Discovery text chooses latents, concepts and dose units; claims are written; then validation text tests them. Targets
 * are counted in training text, from labels alone. The parts that take long (reconstruction, each latent) are kept as
 * they finish, so that a run that was cut ends with the bytes of one that was not.
 */
import { join } from 'node:path'
import { UserError } from '../core/errors.ts'
import { removePartials, writeJson } from '../core/files.ts'
import { mustKnow } from '../core/nearest.ts'
import { quote } from '../core/quote.ts'
import type { StageContext } from '../core/stage.ts'
import type { TokenDataset, TokenWindow } from '../datasets/document.ts'
import { drawWindows } from '../datasets/draw.ts'
import { unitOf } from '../datasets/unit.ts'
import { onHost } from '../engine/host.ts'
import { type Activations, encodeWindows, measuredDraw } from '../latents/activations.ts'
import {
  measureReconstruction,
  type Reconstruction,
  reconstructionDefinitions,
  siteMean,
} from '../latents/reconstruction.ts'
import type { Model } from '../model/model.ts'
import { mustSpeakByLatent } from '../sae/by-latent.ts'
import type { Sae } from '../sae/sae.ts'
import { chooseLatents } from './claims/choose.ts'
import { fewValued, readLabelledText, sampleRows, strataOf } from './claims/labelled-text.ts'
import { planLatent, type Study } from './claims/plan.ts'
import { readTiedSource } from './claims/tied.ts'
import { controlCount, type ValidateConfig } from './config.ts'
import { definitions, type Evidence, type FeatureEvidence } from './evidence.ts'
import { assemble } from './judging/assemble.ts'
import { measureAll } from './measure-all.ts'
import type { Measured } from './rows.ts'
import { writeEffects, writeSelectivity } from './tables.ts'
import { Working } from './working.ts'

/** What `validate` works on. */
export interface ValidateInputs {
  readonly model: Model
  readonly sae: Sae
  readonly dataset: TokenDataset
  readonly config: ValidateConfig
  /** Mean of the training rows at the site [width], from capture.json; default: that of discovery text. */
  readonly captureMean?: Float32Array
}

/** Figures of a validate run. */
export interface ValidateSummary {
  readonly latents: number
  readonly passed: number
  readonly failed: number
  readonly inconclusive: number
  readonly notRun: number
  readonly fvu: number | null
  readonly l0: number | null
  readonly dead: number | null
  readonly ceClean: number
  readonly ceSpliced: number
  readonly ceRecoveredMean: number | null
  readonly ceRecoveredZero: number | null
  readonly klSpliced: number
}

/** Runs the stage; see the file's comment. Writes claims.json, evidence.json, effects.parquet and selectivity.parquet. */
export async function validate(context: StageContext, inputs: ValidateInputs): Promise<ValidateSummary> {
  const { directory, seed, metrics } = context
  const { model, sae, dataset, config } = inputs
  mustSpeakByLatent(sae, 'validate')
  checkInputs(inputs)
  await removePartials(directory)
  metrics.truncate(0)
  const working = new Working(directory)

  const discoveryWindows = drawWindows(dataset, { ...measuredDraw, split: 'discovery', seed, tokens: config.tokens })
  const validationWindows = drawWindows(dataset, { ...measuredDraw, split: 'validation', seed, tokens: config.tokens })
  const reconstruction = await working.part('reconstruction', () => reconstruct(context, inputs, discoveryWindows))
  const { density: _, ...figures } = reconstruction
  metrics.append({ kind: 'reconstruction', ...figures })

  const read = await readText(context, inputs, discoveryWindows, validationWindows)
  const chosen = chooseLatents(
    config.latents,
    read.text.candidates,
    read.discovery,
    read.text.discoveryLabels,
    read.text.aurocs,
  )
  if (chosen.length === 0)
    throw new UserError('No latent is active in enough discovery documents to be tested.', {
      fix: 'Use more text (dataset.documents, tokens), or name latents.',
    })
  const study = { ...read, claims: chosen.length, tied: await tiedOf(context, inputs, read, chosen.length) }
  const plans = chosen.map(candidate => planLatent(study, candidate))
  await writeJson(join(directory, 'claims.json'), { schema: 1, seed, claims: plans.map(({ claim }) => claim) })
  const measured = await measureAll(context, study, plans, working)

  const fields = config.robustness ?? fewValued(dataset)
  const used = plans.flatMap(({ documents }) => [...documents.ablate, ...documents.steer])
  const strata = strataOf(dataset, used)
  const features = assemble(measured, { ...config, fields, strata, seed })
  for (const feature of features) metrics.append(metricOf(feature))
  const all = <T>(pick: (one: Measured) => readonly T[]) => measured.flatMap(pick)
  await writeEffects(
    directory,
    all(({ rows }) => rows),
  )
  await writeSelectivity(
    directory,
    all(({ selectivity }) => selectivity),
  )
  const evidence: Evidence = {
    schema: 3,
    hashes: { model: model.hash, sae: sae.hash, dataset: dataset.hash },
    site: sae.metadata.hook_name,
    weightProcessing: 'none',
    seed,
    config: settingsOf(config, fields),
    definitions: { ...definitions, ...reconstructionDefinitions },
    splits: { discovery: discoveryWindows.map(({ id }) => id), validation: validationWindows.map(({ id }) => id) },
    strata,
    reconstruction: { ...reconstruction },
    features,
  }
  await writeJson(join(directory, 'evidence.json'), evidence)
  await working.clear()
  return summaryOf(features, reconstruction)
}

/** Tokens of training text in which targets are counted. */
const targetTokens = 200_000

/** Encodes and labels both splits. */
async function readText(
  context: StageContext,
  inputs: ValidateInputs,
  discoveryWindows: readonly TokenWindow[],
  validationWindows: readonly TokenWindow[],
): Promise<Omit<Study, 'tied' | 'claims'>> {
  const { model, sae, dataset, config } = inputs
  const { seed } = context
  const discovery = await encode(context, inputs, discoveryWindows, 'discovery')
  const validation = await encode(context, inputs, validationWindows, 'validation')
  const trains = dataset.windows.some(({ split }) => split === 'train')
  const counted = trains
    ? drawWindows(dataset, { ...measuredDraw, split: 'train', seed, tokens: targetTokens })
    : discoveryWindows
  const decoder = onHost(() => sae.decoder().dataSync<'float32'>() as Float32Array)
  const site = sae.metadata.hook_name
  return {
    model,
    sae,
    config,
    seed,
    text: readLabelledText(dataset, config, counted, model.config.vocabulary, discovery, validation),
    discovery,
    validation,
    decoder,
    unitOf: window => unitOf(dataset, window),
    samples:
      config.controls.covariance > 0 ? sampleRows(model, site, sae.width, discoveryWindows, seed) : new Float32Array(),
  }
}

/** What tied controls are drawn from. */
async function tiedOf(
  { progress, signal }: StageContext,
  { model, sae, config }: ValidateInputs,
  { discovery, validation }: Pick<Study, 'discovery' | 'validation'>,
  claims: number,
): Promise<Study['tied']> {
  const splits = { discovery: discovery.windows, validation: validation.windows }
  const count = controlCount(config.controls.tied, claims, config.alpha)
  progress.start(
    'Reading the site for random directions',
    splits.discovery.length + splits.validation.length,
    'windows',
  )
  const onBatch = (done: number) => progress.update(done)
  const tied = await readTiedSource(model, sae, splits, count, { batchTokens: config.batchTokens, signal, onBatch })
  progress.finish()
  return tied
}

function checkInputs({ model, sae, dataset, config }: ValidateInputs): void {
  mustKnow(config.concepts ?? [], dataset.concepts, {
    key: 'concepts',
    what: `the dataset ${quote(dataset.name)} has no concept`,
  })
  const fields = [...new Set(dataset.documents.flatMap(({ strata }) => Object.keys(strata)))].sort()
  mustKnow(config.robustness ?? [], fields, {
    key: 'robustness',
    what: `no document of the dataset ${quote(dataset.name)} has a stratum`,
  })
  if (sae.outputs !== sae.width)
    throw new UserError(`This SAE predicts ${sae.outputs} values from ${sae.width}: it has no place to be put back.`, {
      fix: 'Validate an SAE that reconstructs the site it reads.',
    })
  const site = model.sites.find(({ name }) => name === sae.metadata.hook_name)
  const width = site?.size.reduce((product, size) => product * size, 1)
  if (site && width !== sae.width)
    throw new UserError(`The SAE is ${sae.width} wide, but the model's ${site.name} is ${width} wide.`, {
      fix: 'Use the model that the SAE was trained on.',
    })
  const missing = Array.isArray(config.latents) ? config.latents.find(latent => latent >= sae.latents) : undefined
  if (missing !== undefined)
    throw new UserError(`latents names ${missing}, but the SAE has ${sae.latents} latents.`, {
      fix: `Name latents from 0 to ${sae.latents - 1}.`,
    })
}

/** A reconstruction as its working file and evidence hold it: typed arrays as lists. */
type SavedReconstruction = Omit<Reconstruction, 'density'> & { readonly density: readonly number[] }

async function reconstruct(
  { progress, signal, seed }: StageContext,
  { model, sae, dataset, config, captureMean }: ValidateInputs,
  discoveryWindows: readonly TokenWindow[],
): Promise<SavedReconstruction> {
  const half = Math.ceil(config.maxTokens / 2)
  const windows = (['discovery', 'validation'] as const).flatMap(split =>
    drawWindows(dataset, { ...measuredDraw, split, seed, tokens: half }),
  )
  progress.start('Measuring reconstruction', windows.length, 'windows')
  const options = { batchTokens: config.batchTokens, signal, onBatch: (done: number) => progress.update(done) }
  const mean =
    captureMean ??
    (await siteMean(model, sae.metadata.hook_name, discoveryWindows, { batchTokens: config.batchTokens, signal }))
  const meanFrom = captureMean ? 'capture' : 'discovery'
  const found = await measureReconstruction(model, sae, windows, { ...options, mean, meanFrom })
  progress.finish()
  return { ...found, density: Array.from(found.density) }
}

async function encode(
  { progress, signal }: StageContext,
  { model, sae, config }: ValidateInputs,
  windows: readonly TokenWindow[],
  split: string,
): Promise<Activations> {
  progress.start(`Encoding ${split} text`, windows.length, 'windows')
  const activations = await encodeWindows(model, sae, windows, {
    batchTokens: config.batchTokens,
    signal,
    onBatch: done => progress.update(done),
  })
  progress.finish()
  return activations
}

function metricOf({ claim, verdict, causal, selectivity, ablate, steer }: FeatureEvidence): Record<string, unknown> {
  return {
    kind: 'latent',
    feature: claim.feature,
    verdict,
    causal: causal.verdict,
    concept: claim.concept,
    auroc: selectivity?.auroc ?? null,
    ablate: ablate?.metrics.target.effect.mean ?? null,
    steer: steer?.metrics.target.effect.mean ?? null,
    q: (claim.primary === 'ablate' ? ablate : steer)?.test.q ?? null,
  }
}

/** The settings that the numbers depend on; paths stay in the run's manifest. */
function settingsOf(config: ValidateConfig, fields: readonly string[]): Record<string, unknown> {
  const { sae: _, model: __, dataset: ___, ...settings } = config
  return { ...settings, robustness: [...fields] }
}

function summaryOf(features: readonly FeatureEvidence[], reconstruction: SavedReconstruction): ValidateSummary {
  const count = (verdict: string) => features.filter(feature => feature.verdict === verdict).length
  const { fvu, l0, dead, ceClean, ceSpliced, ceRecoveredMean, ceRecoveredZero, klSpliced } = reconstruction
  return {
    latents: features.length,
    passed: count('pass'),
    failed: count('fail'),
    inconclusive: count('inconclusive'),
    notRun: count('not-run'),
    fvu,
    l0,
    dead,
    ceClean,
    ceSpliced,
    ceRecoveredMean,
    ceRecoveredZero,
    klSpliced,
  }
}
