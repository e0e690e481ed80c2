/**
 * The validate stage: model × SAE × held-out text → evidence.
 *
 * Discovery text chooses latents, concepts and dose units; claims are written; then validation text tests them. Targets
 * are counted in training text, from labels alone. The parts that take long (reconstruction, each latent) are kept as
 * they finish, so that a run that was cut ends with the bytes of one that was not.
 */
import { join } from 'node:path'
import { removePartials, writeJson } from '../core/files.ts'
import { sha256File } from '../core/hash.ts'
import { breathe, type StageContext } from '../core/stage.ts'
import { Working } from '../core/working.ts'
import { throwIfInterrupted } from '../latents/activations.ts'
import { interventionsAt } from '../latents/interventions.ts'
import { reconstructionDefinitions } from '../latents/reconstruction-rows.ts'
import { writeBundle } from './bundle.ts'
import type { StatedClaims } from './claims/claim-file.ts'
import { fewValued, strataOf } from './claims/labelled-text.ts'
import type { ValidateConfig } from './config.ts'
import { writeEffects } from './effects-table.ts'
import {
  type Claims,
  type ClaimsSource,
  definitions,
  type Evidence,
  evidenceSchema,
  type FeatureEvidence,
} from './evidence.ts'
import { checkInputs, type ValidateInputs } from './inputs.ts'
import { judge } from './judge.ts'
import {
  judgeReconstruction,
  type ReconstructionFound,
  reconstructionPartDefinitions,
} from './judging/reconstruction.ts'
import { readText } from './read-text.ts'
import { reconstruct, writeReconstruction } from './reconstruct.ts'
import type { Measured } from './rows.ts'
import { splitText } from './splits.ts'
import { definitionsOf, measureStudies, writeStudies } from './studies/run.ts'
import { writeSelectivity } from './tables.ts'
import { planLatents, testLatents } from './test-latents.ts'

/** Figures of a validate run. */
export interface ValidateSummary {
  /** Whether more claims pass than of SAEs that learned less or nothing; absent where that was not asked. */
  readonly baselines?: string
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

/** Runs the stage; see the file's comment. Writes claims.json, evidence.json and the tables beside it. */
export async function validate(context: StageContext, given: ValidateInputs): Promise<ValidateSummary> {
  const working = new Working(context.directory)
  try {
    return await validateWith(context, given, working)
  } catch (error) {
    // What was made before is kept for the next start; where that fails too, the first fault is what there is to say.
    await working.settled().catch(() => {})
    throw error
  }
}

async function validateWith(context: StageContext, given: ValidateInputs, working: Working): Promise<ValidateSummary> {
  const { directory, seed, metrics } = context
  const { model, sae, config } = given
  const stop = () => throwIfInterrupted(context.signal)
  await checkInputs(given, stop)
  await removePartials(directory)
  metrics.truncate(0)
  const pause = () => breathe().then(stop)

  const { dataset, windows, splits } = await splitText(given, seed, stop)
  const inputs = { ...given, dataset }
  const { rows, meanFrom } = await working.part('reconstruction', () => reconstruct(context, inputs, windows.discovery))
  const reconstruction = judgeReconstruction(rows, { latents: sae.latents, width: sae.width, meanFrom }, seed)
  const { density: _, strata: __, positions: ___, reliability: ____, ...figures } = reconstruction
  metrics.append({ kind: 'reconstruction', ...figures })

  const planned = planLatents(inputs, await readText(context, inputs, windows))
  const { material, plans } = planned
  const claims = await writeClaims(
    directory,
    { schema: 2, seed, claims: plans.map(({ claim }) => claim) },
    given.stated,
  )
  // Held over all of them, so that they share what is kept of documents.
  const interventions = interventionsAt(model, sae.metadata.hook_name)
  const { measured, studied } = await (async () => ({
    measured: await testLatents(context, planned, working),
    studied: await measureStudies({ context, inputs, material, plans, working, pause }),
  }))().finally(() => interventions.dispose())

  const fields = config.robustness ?? (await fewValued(dataset, stop))
  const used = plans.flatMap(({ documents }) => [...documents.ablate, ...documents.steer])
  const strata = strataOf(dataset, used)
  const { features, studies } = judge(measured, studied, { ...config, fields, strata, seed })
  for (const feature of features) metrics.append(metricOf(feature))
  await writeEffects(directory, rowsOf(measured))
  await writeSelectivity(
    directory,
    measured.flatMap(({ selectivity }) => selectivity),
  )
  await writeStudies(directory, studied)
  await writeReconstruction(directory, rows)
  const evidence: Evidence = {
    schema: evidenceSchema,
    hashes: { model: model.hash, sae: sae.hash, dataset: dataset.hash },
    site: sae.metadata.hook_name,
    weightProcessing: 'none',
    seed,
    config: settingsOf(config, fields),
    definitions: {
      ...definitions,
      ...reconstructionDefinitions,
      ...reconstructionPartDefinitions,
      ...definitionsOf(studied),
    },
    claims,
    splits,
    strata,
    reconstruction: { ...reconstruction },
    features,
    studies,
  }
  await writeJson(join(directory, 'evidence.json'), evidence)
  await writeBundle(directory)
  await working.clear()
  return {
    ...(studies.baselines ? { baselines: studies.baselines.summary } : {}),
    ...summaryOf(features, reconstruction),
  }
}

/** Writes claims.json, once and before anything is measured, and says what it holds. */
async function writeClaims(directory: string, claims: Claims, stated: StatedClaims | undefined): Promise<ClaimsSource> {
  const path = join(directory, 'claims.json')
  await writeJson(path, claims)
  return {
    sha256: await sha256File(path),
    file: stated ? { sha256: stated.sha256, written: stated.written } : null,
  }
}

/** The rows of each latent, made when they are asked for. */
function* rowsOf(measured: readonly Measured[]): Generator<Measured['rows']> {
  for (const one of measured) yield one.rows
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
  const { sae: _, model: __, dataset: ___, claimsFile: ____, siblings: _____, ...rest } = config
  const { outOfDistribution, measures, ...settings } = rest
  const { dataset: ______, ...heldOut } = outOfDistribution
  const { ravel: _______, ...repeated } = measures
  return { ...settings, outOfDistribution: heldOut, measures: repeated, robustness: [...fields] }
}

function summaryOf(features: readonly FeatureEvidence[], reconstruction: ReconstructionFound): ValidateSummary {
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
