/**
 * The validate stage: model × SAE × held-out text → evidence.
 *
 * Discovery text chooses latents, concepts and dose units; claims are written; then validation text tests them. Targets
 * are counted in training text, from labels alone. The parts that take long (reconstruction, each latent) are kept as
 * they finish, so that a run that was cut ends with the bytes of one that was not.
 */
import { join } from 'node:path'
import { UserError } from '../core/errors.ts'
import { writeJson } from '../core/files.ts'
import { Random, uniformOf } from '../core/random.ts'
import type { StageContext } from '../core/stage.ts'
import type { Split, TokenDataset, TokenWindow } from '../datasets/document.ts'
import { tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import {
  type Activations,
  activationsIn,
  encodeWindows,
  FIRST_POSITION,
  siteRows,
  throwIfInterrupted,
} from './activations.ts'
import { assemble, type Measured, type SelectivityRow } from './assemble.ts'
import { type Candidate, candidatesOf, chooseLatents } from './choose.ts'
import { claimOf, drawDocuments } from './claims.ts'
import { type ConceptLabels, conceptRows, labelWindows } from './concepts.ts'
import type { ValidateConfig } from './config.ts'
import { type ControlDirections, type ControlKind, controlKinds, controls } from './controls/index.ts'
import { type Claim, definitions, type Evidence, type FeatureEvidence, type Gate } from './evidence.ts'
import { judgeGates } from './gates.ts'
import { measureLatent } from './measure.ts'
import { onHost } from './on-host.ts'
import { measureReconstruction, type Reconstruction, reconstructionDefinitions, siteMean } from './reconstruction.ts'
import { conceptAurocs, nullMaxima, type RankedActivations, rankActivations } from './selectivity.ts'
import { writeEffects, writeSelectivity } from './tables.ts'
import { conceptTarget, firingTarget, type Target } from './targets.ts'
import { FEWEST_DOCUMENTS } from './verdict.ts'
import { removePartials, Working } from './working.ts'

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
  readonly fvu: number
  readonly l0: number
  readonly dead: number
  readonly ceClean: number
  readonly ceSpliced: number
  readonly ceRecoveredMean: number | null
  readonly ceRecoveredZero: number | null
  readonly klSpliced: number
  readonly gates: readonly Gate[]
}

/** A stratum field with more values than this (such as an id) gives no effect a value. */
const MANY_VALUES = 24
/** Rows from which covariance-matched directions are drawn. */
const COVARIANCE_ROWS = 1024

/** Runs the stage; see the file's comment. Writes claims.json, evidence.json, effects.parquet and selectivity.parquet. */
export async function validate(context: StageContext, inputs: ValidateInputs): Promise<ValidateSummary> {
  const { directory, seed, metrics, progress } = context
  const { model, sae, dataset, config } = inputs
  checkInputs(model, sae)
  await removePartials(directory)
  metrics.truncate(0)
  const working = new Working(directory)

  const discoveryWindows = drawWindows(dataset, 'discovery', config.tokens, seed)
  const validationWindows = drawWindows(dataset, 'validation', config.tokens, seed)
  const reconstruction = await working.part('reconstruction', () => reconstruct(context, inputs, discoveryWindows))
  metrics.append({ kind: 'reconstruction', ...withoutDensity(reconstruction) })

  const discovery = encode(context, inputs, discoveryWindows, 'discovery')
  const validation = encode(context, inputs, validationWindows, 'validation')
  const text = labelText(dataset, config, discovery, validation)
  const decoder = onHost(() => sae.decoder().dataSync<'float32'>() as Float32Array)
  const chosen = chooseLatents(config.latents, text.candidates, discovery, text.discoveryLabels)
  if (chosen.length === 0)
    throw new UserError('No latent is active in enough discovery documents to be tested.', {
      fix: 'Use more text (dataset.documents, tokens), or name latents.',
    })
  const samples = config.controls.covariance > 0 ? sampleRows(inputs, discoveryWindows, seed) : new Float32Array()
  const plans = chosen.map(candidate =>
    planLatent(inputs, candidate, text, discovery, validation, decoder, samples, seed),
  )
  await writeJson(join(directory, 'claims.json'), { schema: 1, seed, claims: plans.map(({ claim }) => claim) })

  const total = plans.reduce((sum, { documents }) => sum + documents.ablate.length + documents.steer.length, 0)
  progress.start('Testing latents', total, 'documents')
  let done = 0
  const measured: Measured[] = []
  for (const plan of plans) {
    throwIfInterrupted(context.signal)
    const { claim, documents } = plan
    const before = done
    const found = await working.part(`latent-${claim.feature}`, () =>
      measureOne(inputs, plan, text, validation, decoder, seed, () => {
        progress.update(++done, `latent ${claim.feature}`)
        throwIfInterrupted(context.signal)
      }),
    )
    done = before + documents.ablate.length + documents.steer.length
    progress.update(done)
    measured.push({ claim, ...found })
  }
  progress.finish()

  const fields = config.robustness ?? fewValued(dataset)
  const strata = strataOf(dataset, plans)
  const features = assemble(measured, { ...config, fields, strata, seed })
  const gates = judgeGates(config, features, reconstruction)
  for (const { claim, verdict, causal, selectivity, ablate, steer } of features)
    metrics.append({
      kind: 'latent',
      feature: claim.feature,
      verdict,
      causal: causal.verdict,
      concept: claim.concept,
      auroc: selectivity?.auroc ?? null,
      ablate: ablate?.metrics.target.effect.mean ?? null,
      steer: steer?.metrics.target.effect.mean ?? null,
      q: (claim.primary === 'ablate' ? ablate : steer)?.test.q ?? null,
    })
  await writeEffects(
    directory,
    measured.flatMap(({ rows }) => rows),
  )
  await writeSelectivity(
    directory,
    measured.flatMap(({ selectivity }) => selectivity),
  )
  const evidence: Evidence = {
    schema: 1,
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
    gates,
  }
  await writeJson(join(directory, 'evidence.json'), evidence)
  await working.clear()
  return summaryOf(features, reconstruction, gates)
}

function checkInputs(model: Model, sae: Sae): void {
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
}

/** Windows of a split up to `tokens` tokens, by a hash of seed and window, so that the order of the data does not matter. */
function drawWindows(dataset: TokenDataset, split: Split, tokens: number, seed: number): TokenWindow[] {
  const drawn: TokenWindow[] = []
  let count = 0
  const keyed = dataset.windows
    .filter(window => window.split === split && window.tokens.length > FIRST_POSITION + 1)
    .map(window => ({ window, key: uniformOf(seed, 'validate', window.id) }))
    .sort((a, b) => a.key - b.key || a.window.index - b.window.index)
  if (keyed.length === 0)
    throw new UserError(`The dataset ${dataset.name} has no ${split} text.`, {
      fix: 'Use more documents, or raise dataset.heldOut.fraction.',
    })
  for (const { window } of keyed) {
    if (drawn.length > 0 && count + window.tokens.length > tokens) break
    drawn.push(window)
    count += window.tokens.length
  }
  return drawn.sort((a, b) => a.index - b.index)
}

/** A reconstruction as its working file and evidence hold it: typed arrays as lists. */
type SavedReconstruction = Omit<Reconstruction, 'density'> & { readonly density: readonly number[] }

function reconstruct(
  { progress, signal, seed }: StageContext,
  { model, sae, dataset, config, captureMean }: ValidateInputs,
  discoveryWindows: readonly TokenWindow[],
): SavedReconstruction {
  const half = Math.ceil(config.maxTokens / 2)
  const windows = (['discovery', 'validation'] as const).flatMap(split => drawWindows(dataset, split, half, seed))
  progress.start('Measuring reconstruction', windows.length, 'windows')
  const options = { batchTokens: config.batchTokens, signal, onBatch: (done: number) => progress.update(done) }
  const mean =
    captureMean ??
    siteMean(model, sae.metadata.hook_name, discoveryWindows, { batchTokens: config.batchTokens, signal })
  const found = measureReconstruction(model, sae, windows, mean, captureMean ? 'capture' : 'discovery', options)
  progress.finish()
  return { ...found, density: Array.from(found.density) }
}

function withoutDensity({ density: _, ...figures }: SavedReconstruction): Record<string, unknown> {
  return figures
}

function encode(
  { progress, signal }: StageContext,
  { model, sae, config }: ValidateInputs,
  windows: readonly TokenWindow[],
  split: string,
): Activations {
  progress.start(`Encoding ${split} text`, windows.length, 'windows')
  const activations = encodeWindows(model, sae, windows, {
    batchTokens: config.batchTokens,
    signal,
    onBatch: done => progress.update(done),
  })
  progress.finish()
  return activations
}

/** Labels of both splits and what discovery text says of every latent. */
interface LabelledText {
  readonly concepts: readonly string[]
  readonly discoveryLabels: ConceptLabels
  readonly validationLabels: ConceptLabels
  readonly validationRanks: RankedActivations
  /** AUROC on discovery text, [latents · concepts]. */
  readonly aurocs: Float64Array
  readonly candidates: readonly Candidate[]
}

function labelText(
  dataset: TokenDataset,
  config: ValidateConfig,
  discovery: Activations,
  validation: Activations,
): LabelledText {
  const concepts = config.claims === 'firing' ? [] : (config.concepts ?? dataset.concepts)
  for (const concept of concepts)
    if (!dataset.concepts.includes(concept))
      throw new UserError(`The dataset ${dataset.name} has no concept ${concept}.`, {
        fix: `It has ${dataset.concepts.slice(0, 8).join(', ')}${dataset.concepts.length > 8 ? ' …' : ''}.`,
      })
  const discoveryLabels = labelWindows(dataset, discovery.windows, concepts)
  const validationLabels = labelWindows(dataset, validation.windows, concepts)
  const aurocs = conceptAurocs(rankActivations(discovery, discoveryLabels), discoveryLabels)
  // A concept that validation text cannot judge is not claimed; this looks at its labels only.
  for (let i = 0; i < aurocs.length; i++)
    if (validationLabels.documents[i % concepts.length]! < FEWEST_DOCUMENTS) aurocs[i] = Number.NaN
  if (config.claims === 'concept' && aurocs.every(Number.isNaN))
    throw new UserError(`The dataset ${dataset.name} has no concept that its held-out text can judge.`, {
      fix: "Set claims to 'firing', or use text with labels.",
    })
  return {
    concepts,
    discoveryLabels,
    validationLabels,
    validationRanks: rankActivations(validation, validationLabels),
    aurocs,
    candidates: candidatesOf(discovery, aurocs, concepts.length),
  }
}

/** Values at the site on discovery text less their mean, [rows, width], for covariance-matched directions. */
function sampleRows({ model, sae }: ValidateInputs, windows: readonly TokenWindow[], seed: number): Float32Array {
  const random = new Random(seed, 'covariance rows')
  const rows: Float32Array[] = []
  for (const window of random.shuffle([...windows])) {
    if (rows.length >= COVARIANCE_ROWS) break
    const values = onHost(
      () =>
        siteRows(
          model,
          sae.metadata.hook_name,
          tf.tensor2d(window.tokens, [1, window.tokens.length], 'int32'),
        ).dataSync<'float32'>() as Float32Array,
    )
    for (let p = FIRST_POSITION; p < window.tokens.length; p++)
      rows.push(values.slice(p * sae.width, (p + 1) * sae.width))
  }
  const samples = new Float32Array(rows.length * sae.width)
  for (let j = 0; j < sae.width; j++) {
    const mean = rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length
    rows.forEach((row, i) => {
      samples[i * sae.width + j] = row[j]! - mean
    })
  }
  return samples
}

/** A latent with everything that is fixed before it is measured. */
interface Plan {
  readonly claim: Claim
  readonly concept: number
  readonly target: Target
  readonly documents: ReturnType<typeof drawDocuments>
  readonly controls: Partial<Record<ControlKind, ControlDirections>>
}

/** Another latent that tells the claimed concept this well on discovery text is no foreign one. */
const SAME_CONCEPT_AUROC = 0.7

function planLatent(
  { dataset, model, sae, config }: ValidateInputs,
  candidate: Candidate,
  text: LabelledText,
  discovery: Activations,
  validation: Activations,
  decoder: Float32Array,
  samples: Float32Array,
  seed: number,
): Plan {
  const { latent } = candidate
  const concept = candidate.concept >= 0 ? text.concepts[candidate.concept]! : null
  const train = dataset.windows.filter(({ split }) => split === 'train')
  const counted = train.length > 0 ? train : discovery.windows
  const target =
    concept === null
      ? firingTarget(discovery, latent, model.config.vocabulary)
      : conceptTarget(dataset, counted, concept, model.config.vocabulary)
  const sameConcept = new Set(
    text.candidates
      .filter(
        other =>
          concept !== null &&
          text.aurocs[other.latent * text.concepts.length + candidate.concept]! >= SAME_CONCEPT_AUROC,
      )
      .map(other => other.latent),
  )
  const active = text.candidates.map(other => other.latent)
  const drawn: Partial<Record<ControlKind, ControlDirections>> = {}
  for (const kind of controlKinds) {
    if (config.controls[kind] === 0) continue
    const random = new Random(seed, 'control', kind, latent)
    drawn[kind] = controls[kind].draw(
      { width: sae.width, latent, decoder, active, sameConcept, samples, random },
      config.controls[kind],
    )
  }
  const documents = drawDocuments(validation, latent, config, seed)
  const counts = Object.fromEntries(Object.entries(drawn).map(([kind, { ids }]) => [kind, ids.length]))
  const claim = claimOf(candidate, concept, target, discovery, documents, counts, config)
  return { claim, concept: candidate.concept, target, documents, controls: drawn }
}

function measureOne(
  { model, sae, config }: ValidateInputs,
  { claim, concept, target, documents, controls: drawn }: Plan,
  text: LabelledText,
  validation: Activations,
  decoder: Float32Array,
  seed: number,
  onDocument: () => void,
): Omit<Measured, 'claim'> {
  const { feature } = claim
  const enough = documents.ablate.length >= FEWEST_DOCUMENTS && claim.discovery.unit > 0
  const rows = !enough
    ? []
    : measureLatent(
        model,
        {
          feature,
          site: sae.metadata.hook_name,
          direction: decoder.slice(feature * sae.width, (feature + 1) * sae.width),
          controls: drawn,
          target,
          ...documents,
          unit: claim.discovery.unit,
          doses: claim.doses,
          dose: claim.dose,
          batchTokens: config.batchTokens,
        },
        onDocument,
      )
  if (concept < 0) return { rows, selectivity: [], nullMaxima: [] }
  const random = new Random(seed, 'shuffle', text.concepts[concept]!)
  return {
    rows,
    selectivity: selectivityRows(feature, concept, text.validationLabels, validation),
    nullMaxima: nullMaxima(text.validationRanks, text.validationLabels, concept, config.shuffles, random),
  }
}

function selectivityRows(
  feature: number,
  concept: number,
  labels: ConceptLabels,
  validation: Activations,
): SelectivityRow[] {
  const carries = conceptRows(labels, concept)
  return validation.windows.map((window, w) => {
    const active = activationsIn(validation, feature, w)
    const tokens = window.tokens.length - FIRST_POSITION
    return {
      feature,
      document: window.id,
      tokens,
      positions: [...active.keys()],
      activations: [...active.values()],
      labelled: Array.from({ length: tokens }, (_, i) => i + FIRST_POSITION).filter(
        position => carries[labels.rowStart[w]! + position - FIRST_POSITION],
      ),
    }
  })
}

/** Stratum fields with two to `MANY_VALUES` values. */
function fewValued({ documents }: TokenDataset): string[] {
  const values = new Map<string, Set<string>>()
  for (const { strata } of documents)
    for (const [field, value] of Object.entries(strata)) values.set(field, (values.get(field) ?? new Set()).add(value))
  return [...values]
    .filter(([, { size }]) => size >= 2 && size <= MANY_VALUES)
    .map(([field]) => field)
    .sort()
}

/** Strata of the windows that interventions use, by id: those of the document they open with. */
function strataOf(dataset: TokenDataset, plans: readonly Plan[]): Record<string, Record<string, string>> {
  const windows = new Map(
    plans
      .flatMap(({ documents }) => [...documents.ablate, ...documents.steer])
      .map(({ window }) => [window.id, window]),
  )
  return Object.fromEntries(
    [...windows.values()]
      .sort((a, b) => a.index - b.index)
      .map(window => [window.id, { ...dataset.documents[window.documents[FIRST_POSITION]!]!.strata }]),
  )
}

/** The settings that the numbers depend on; paths stay in the run's manifest. */
function settingsOf(config: ValidateConfig, fields: readonly string[]): Record<string, unknown> {
  const { sae: _, model: __, dataset: ___, ...settings } = config
  return { ...settings, robustness: [...fields] }
}

function summaryOf(
  features: readonly FeatureEvidence[],
  reconstruction: SavedReconstruction,
  gates: readonly Gate[],
): ValidateSummary {
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
    gates,
  }
}
