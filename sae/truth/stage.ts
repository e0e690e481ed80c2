/**
 * The `truth` stage: SAEs of several architectures learn one stream of samples from a world whose features are known, and
 * are measured against those features while they learn and when they are done.
 *
 * It writes the world's dictionary, a line of metrics for each SAE every `evaluateEvery` samples, checkpoints while it
 * works, each SAE in SAELens's layout in a folder of its architecture's name, and `truth.json`. Samples are never kept:
 * each is drawn from the seed and its place, so that a run that was cut goes on to the same bytes.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, InterruptedError, UserError } from '../../core/errors.ts'
import { writeJson } from '../../core/files.ts'
import { hashValue } from '../../core/hash.ts'
import { breathe, type StageContext } from '../../core/stage.ts'
import { Sampler, seedWords } from '../../engine/ops/truth/sample.ts'
import { openSafetensors, writeSafetensors } from '../../engine/safetensors.ts'
import { tf } from '../../engine/tf.ts'
import { saveSae } from '../formats/saelens.ts'
import { makeSae } from '../make.ts'
import { newestCheckpoint, writeCheckpoint } from '../training/checkpoint.ts'
import { resolveTraining, type TrainConfig } from '../training/config.ts'
import { Learner } from '../training/learner.ts'
import { makePlan } from '../training/plan.ts'
import { type TruthPresetName, truthPresets, type WorldConfig } from './config.ts'
import { publishedRows } from './published.ts'
import { TruthMeter, type TruthQuality, truthDefinitions } from './quality.ts'
import { resolveTruth, type TruthConfig } from './settings.ts'
import { joinSnapshots, partSnapshots } from './snapshots.ts'
import { type Dictionary, makeDictionary, makeWorld, type World } from './world.ts'

/** A finished SAE and how it did; `samples` are those it learned from. */
export interface TruthResult extends TruthQuality {
  readonly architecture: string
  readonly samples: number
}

export interface TruthSummary extends Record<string, unknown> {
  readonly preset: TruthPresetName
  readonly samples: number
  readonly trueL0: number
  readonly definitions: typeof truthDefinitions
  readonly results: readonly TruthResult[]
}

/** Samples from which the decoder bias and the variance are taken. */
const startSamples = 16_384
/** Samples that are measured at a time. */
const measuredAtOnce = 1024

/** Trains and measures. Throws `InterruptedError` after a checkpoint when the stage is told to stop. */
export async function truthStage(context: StageContext, config: TruthConfig): Promise<TruthSummary> {
  const plan = resolveTruth(config)
  const world = makeWorld(plan.world, context.seed, await dictionaryOf(context, plan.world))
  const sampler = new Sampler(world.tables)
  const learners: Learner[] = []
  try {
    const { rows, sample } = await startRows(sampler, context.seed)
    rows.dispose()
    for (const training of plan.trainings) learners.push(learnerOf(training, plan, context.seed, sample))
    await learn(context, config, plan, world, sampler, learners)
    const results: TruthResult[] = []
    for (const learner of learners) {
      const { name, stepper } = learner
      context.progress.note(`Measuring ${name} on ${plan.finalSamples} samples.`)
      const density = Float64Array.from(stepper.firing.fired, n => n / (learner.plan.densitySteps * plan.batchSamples))
      const metadata = { hook_name: '', truth: { schema: 1, preset: config.preset, ...learner.identity } }
      const saved = learner.saved()
      await mkdir(join(context.directory, name), { recursive: true })
      await saveSae(join(context.directory, name), { ...saved, density, metadata })
      tf.dispose(Object.values(saved.params))
      const quality = await measure(context.seed, world, sampler, learner, plan.finalSamples, context.signal)
      results.push({ architecture: name, samples: plan.steps * plan.batchSamples, ...quality })
    }
    const summary: TruthSummary = {
      preset: config.preset,
      samples: plan.steps * plan.batchSamples,
      trueL0: results[0]!.trueL0,
      definitions: truthDefinitions,
      results,
    }
    const published = truthPresets[config.preset].published ? publishedRows : []
    await writeJson(join(context.directory, 'truth.json'), { schema: 1, ...summary, world: plan.world, published })
    await rm(join(context.directory, 'checkpoints'), { recursive: true, force: true })
    return summary
  } finally {
    for (const learner of learners) learner.dispose()
    sampler.dispose()
  }
}

/** Fresh weights for a world's samples, of which `plan.samples` are learned from. */
function learnerOf(
  config: TrainConfig,
  { samples, world }: Pick<ReturnType<typeof resolveTruth>, 'samples' | 'world'>,
  seed: number,
  sample: Float32Array,
): Learner {
  const resolved = resolveTraining(config)
  const nowhere = { rows: samples, sites: [{ name: 'truth', width: world.width }], readRange: () => Promise.reject() }
  return new Learner({ resolved, plan: makePlan(resolved, config, nowhere, seed) }, sample)
}

/** The steps of all SAEs, from the newest checkpoint on. */
async function learn(
  { directory, seed, progress, metrics, signal }: StageContext,
  config: TruthConfig,
  plan: ReturnType<typeof resolveTruth>,
  world: World,
  sampler: Sampler,
  learners: readonly Learner[],
): Promise<void> {
  const { steps, batchSamples, evaluateSteps, checkpointSteps } = plan
  const folder = join(directory, 'checkpoints')
  const identities = learners.map(({ identity }) => identity)
  const curve = { evaluateSteps, evaluationSamples: config.evaluationSamples }
  const key = hashValue({ world: plan.world, seed, identities, curve })
  const found = await newestCheckpoint(folder, key, progress)
  const latents = learners.map(learner => learner.plan.shape.latents)
  if (found)
    partSnapshots(found.snapshot, latents).forEach((part, i) => {
      learners[i]!.stepper.restore(part)
    })
  metrics.truncate(found?.metricsLines ?? 0)
  const checkpoint = async () => {
    const snapshots = []
    for (const { stepper } of learners) snapshots.push(await stepper.snapshot())
    await writeCheckpoint(folder, key, { snapshot: joinSnapshots(snapshots), metricsLines: metrics.lines }, 2)
  }

  const stream = seedWords(seed, 'truth', 'training')
  progress.start('truth', steps * batchSamples, 'samples')
  for (let step = found?.snapshot.step ?? 0; step < steps; step++) {
    const { rows } = sampler.draw(stream, step * batchSamples, batchSamples)
    const done = (step + 1) * batchSamples
    const last = step + 1 === steps
    const shows = step % 20 === 0 || last
    const keeps = last || (step + 1) % checkpointSteps === 0
    const notes: string[] = []
    for (const learner of learners) {
      const report = learner.take(rows, { measure: shows || keeps, count: step >= steps - learner.plan.densitySteps })
      if (report && shows) notes.push(`${learner.name} FVU ${report.fvu.toFixed(3)} dead ${report.dead}`)
    }
    rows.dispose()
    if (notes.length > 0) progress.update(done, notes.join(', '))
    if ((step + 1) % evaluateSteps === 0 || last)
      for (const learner of learners) {
        const quality = await measure(seed, world, sampler, learner, config.evaluationSamples)
        metrics.append({ step: step + 1, samples: done, architecture: learner.name, ...quality })
        progress.note(`${done} samples, ${learner.name}: ${shortly(quality)}`)
      }
    await breathe()
    if (signal.aborted && !last) {
      await checkpoint()
      throw new InterruptedError(`Training stopped after ${done} of ${steps * batchSamples} samples.`, {
        fix: 'Start the same command again; it goes on from there.',
      })
    }
    // The last one is kept until all is measured, which takes a while, too.
    if (keeps) await checkpoint()
  }
  progress.finish(`${steps * batchSamples} samples`)
}

function shortly({ f1, mcc, uniqueness, explainedVariance, l0 }: TruthQuality): string {
  const figures = { F1: f1, MCC: mcc, unique: uniqueness, EV: explainedVariance }
  return `${Object.entries(figures)
    .map(([name, value]) => `${name} ${value?.toFixed(4) ?? 'none'}`)
    .join('  ')}  L0 ${l0?.toFixed(2) ?? 'none'}`
}

/** Figures of an SAE as it is now, on the first `count` samples of a stream that none learns from. */
async function measure(
  seed: number,
  { tables }: World,
  sampler: Sampler,
  learner: Learner,
  count: number,
  signal?: AbortSignal,
): Promise<TruthQuality> {
  const sae = makeSae({ ...learner.saved(), metadata: { hook_name: '' } })
  try {
    const directions = tf.tensor2d(tables.directions, [tables.features, tables.width])
    const meter = new TruthMeter(sae, directions)
    directions.dispose()
    const stream = seedWords(seed, 'truth', 'evaluation')
    for (let start = 0; start < count; start += measuredAtOnce) {
      const { rows, fired } = sampler.draw(stream, start, Math.min(measuredAtOnce, count - start))
      meter.add(rows, fired)
      rows.dispose()
      await breathe()
      if (signal?.aborted)
        throw new InterruptedError('Stopped while an SAE was measured.', {
          fix: 'Start the same command again; it goes on from its last checkpoint.',
        })
    }
    return meter.result()
  } finally {
    sae.dispose()
  }
}

async function startRows(sampler: Sampler, seed: number) {
  const { rows } = sampler.draw(seedWords(seed, 'truth', 'start'), 0, startSamples)
  return { rows, sample: (await rows.data()) as Float32Array }
}

/** The world's dictionary: that in the run's directory, or a new one, which is kept there. */
async function dictionaryOf({ directory, seed, progress }: StageContext, world: WorldConfig): Promise<Dictionary> {
  const path = join(directory, 'dictionary.safetensors')
  try {
    const file = await openSafetensors(path)
    try {
      return { directions: await file.read('directions'), bias: await file.read('bias') }
    } finally {
      await file.close()
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && !(error instanceof UserError)) throw error
  }
  progress.start('dictionary', world.orthogonalSteps, 'steps')
  const dictionary = await makeDictionary(world, seed, async done => {
    progress.update(done)
    await breathe()
  })
  progress.finish()
  const { features, width } = world
  await writeSafetensors(path, {
    directions: { shape: [features, width], data: dictionary.directions },
    bias: { shape: [width], data: dictionary.bias },
  })
  return dictionary
}
