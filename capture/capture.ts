/**
 * Model × text → activation shards. Which tokens are taken, and in which shard each lies, is decided before the model
 * runs; a shard is a function of its windows alone. So memory is bounded by a few shards, writing overlaps with
 * computing, and a capture that was cut goes on after its last finished shard and ends with the same bytes.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { InterruptedError, UserError } from '../core/errors.ts'
import { removePartials, writeAtomic } from '../core/files.ts'
import { hashValue } from '../core/hash.ts'
import { paced } from '../core/pace.ts'
import { Passes } from '../core/passes.ts'
import type { StageContext } from '../core/stage.ts'
import type { TokenDataset } from '../datasets/document.ts'
import { type CaptureManifest, readCaptureManifest } from '../datasets/shards/index.ts'
import type { Model } from '../model/model.ts'
import { checkAllocation, inclusionProbabilities } from './allocation.ts'
import { audit } from './audit/audit.ts'
import type { CaptureConfig } from './config.ts'
import { type CapturedSite, captureShard, findSites } from './forward.ts'
import { type ManifestInputs, manifestJson, manifestOf, type Sampling } from './manifest.ts'
import { notedPilot, notePilot, type Pilot, takePilot } from './pilot.ts'
import { planShards, type ShardPlan, selectTokens } from './sampling.ts'
import { type FinishedShard, finishedShard, removeNotes, writeShard } from './shards.ts'
import { type Moments, mergeMoments } from './statistics.ts'
import { stratify } from './strata.ts'
import { writeWindows } from './windows.ts'

/** Figures of a capture, for `run.json` and the closing table. */
export interface CaptureSummary {
  readonly rows: number
  /** Tokens that could have been taken. */
  readonly population: number
  readonly strata: number
  readonly sites: number
  readonly shards: number
  readonly bytes: number
  readonly [figure: string]: unknown
}

export interface CaptureInputs {
  readonly model: Model
  readonly dataset: TokenDataset
  readonly config: CaptureConfig
}

/**
 * Captures into `context.directory`: shards and `capture.json`. Throws a `UserError` for an unknown site or stratum,
 * tokens that the model does not have, and activations that are not finite; `InterruptedError` once the signal is
 * aborted, after which the same call goes on.
 */
export async function capture(context: StageContext, inputs: CaptureInputs): Promise<CaptureSummary> {
  const { directory } = context
  await mkdir(directory, { recursive: true })
  await removePartials(directory)
  const work = await planCapture(context, inputs)

  // The manifest comes last: a directory with `capture.json` is a whole capture.
  const manifest = (await wholeCapture(directory, work)) ?? (await computeCapture(context, work))
  await removeNotes(directory)
  return {
    rows: manifest.rows,
    population: manifest.sampling.population,
    strata: manifest.sampling.strata.length,
    sites: manifest.sites.length,
    shards: manifest.shards.length,
    bytes: manifest.shards.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** Everything that is decided before the model runs (but for a pilot); see `capture` for what it throws. */
export async function planCapture(context: StageContext, inputs: CaptureInputs): Promise<CapturePlan> {
  const { model, dataset, config } = inputs
  const { seed } = context
  const passes = passesOf(context)
  checkAllocation(config)
  const sites = findSites(model, config.sites)
  await checkTokens(model, dataset, passes)
  const key = keyOf(inputs, seed)
  const sampling = await sample(context, inputs, sites, { key, passes })
  const some = sampling.probabilities.some(rate => rate < 1)
  const plans = await planShards(sampling.selected, sampling.strata, config.shardRows, {
    everything: config.audit.fullPass && some,
    stop: passes.over(dataset.windows.length, 'windows', 'Planning shards'),
  })
  passes.end()
  return { ...inputs, sites, sampling, seed, plans, key }
}

/** What a capture is to do. */
export interface CapturePlan extends ManifestInputs {
  readonly plans: readonly ShardPlan[]
  /** Hash of all that the shards' bytes depend on. */
  readonly key: string
}

function keyOf({ model, dataset, config }: CaptureInputs, seed: number): string {
  const { concurrency: _, ...settings } = config
  return hashValue({ model: model.hash, dataset: dataset.hash, settings, seed })
}

async function sample(
  context: StageContext,
  { model, dataset, config }: CaptureInputs,
  sites: readonly CapturedSite[],
  { key, passes }: { key: string; passes: Passes },
): Promise<Sampling> {
  const strata = await stratify(dataset, config, passes)
  passes.end()
  const pilot = config.allocation === 'neyman' ? await pilotOf(context, { model, config, sites, strata }, key) : null
  const probabilities = inclusionProbabilities(strata, config, pilot?.spreads)
  const selected = selectTokens(strata, probabilities, context.seed)
  const samples = strata.population.map(() => 0)
  const drawing = passes.over(dataset.windows.length, 'windows', 'Drawing')
  for await (const taken of selected.paced(drawing)) for (const stratum of taken.strata) samples[stratum]!++
  if (samples.every(count => count === 0))
    throw new UserError(`No token of ${dataset.name} is left to capture.`, {
      fix: 'Exclude fewer positions or tokens, ask for more tokens, or give more text.',
    })
  return { strata, probabilities, selected, samples, pilot }
}

/** The pilot that an earlier call took here, or one taken now and noted, so that a capture has one pilot only. */
async function pilotOf(
  { directory, seed, signal }: StageContext,
  inputs: Parameters<typeof takePilot>[0],
  key: string,
): Promise<Pilot> {
  if (existsSync(join(directory, 'capture.json'))) {
    const { pilot } = (await readCaptureManifest(directory)).sampling
    if (pilot?.spreads.length === inputs.strata.population.length) return pilot
  }
  const noted = await notedPilot(directory, key)
  if (noted) return noted
  const pilot = await takePilot(inputs, seed, () => stopWhereAborted(signal))
  await notePilot(directory, key, pilot)
  return pilot
}

/** Passes over text that tell of themselves, and end once the signal is aborted. */
export function passesOf({ progress, signal }: Pick<StageContext, 'progress' | 'signal'>): Passes {
  return new Passes(progress, () => stopWhereAborted(signal))
}

/** Throws an `InterruptedError` once the signal is aborted. */
export function stopWhereAborted({ aborted }: AbortSignal): void {
  if (aborted) throw new InterruptedError('The capture was interrupted.', { fix: 'Start it again to go on.' })
}

/** Refuses tokens beyond the model's vocabulary: the tokenizer is another model's. */
async function checkTokens({ config, path }: Model, { windows, name }: TokenDataset, passes: Passes): Promise<void> {
  for await (const { tokens, id } of paced(windows, passes.over(windows.length, 'windows', 'Checking'))) {
    const beyond = tokens.find(token => token < 0 || token >= config.vocabulary)
    if (beyond !== undefined)
      throw new UserError(
        `The model ${path} has ${config.vocabulary} tokens, but window ${id} of ${name} has token ${beyond}: the tokenizer is not this model's.`,
        { fix: "Use the model's own tokenizer." },
      )
  }
}

/** The manifest of a capture that an earlier call finished here, if it is the one asked for. */
async function wholeCapture(directory: string, work: CapturePlan): Promise<CaptureManifest | undefined> {
  if (!existsSync(join(directory, 'capture.json'))) return undefined
  const found = await readCaptureManifest(directory)
  const same =
    found.model.hash === work.model.hash &&
    found.dataset.hash === work.dataset.hash &&
    found.seed === work.seed &&
    found.dtype === work.config.dtype &&
    found.format === work.config.format &&
    found.sites.map(({ name }) => name).join() === work.config.sites.join() &&
    hashValue(found.shards.map(({ rows, windows }) => [rows, windows])) ===
      hashValue(work.plans.map(({ rows, windows }) => [rows, windows]))
  if (same) return found
  throw new UserError(`${directory} holds another capture.`, { fix: 'Capture into an empty directory.' })
}

async function computeCapture(context: StageContext, work: CapturePlan): Promise<CaptureManifest> {
  const finished: FinishedShard[] = []
  for (const plan of work.plans) {
    const shard = await finishedShard(context.directory, plan, work.key)
    if (shard) finished[plan.number] = shard
  }
  const missing = work.plans.filter(({ number }) => !finished[number])
  if (missing.length < work.plans.length && missing.length > 0)
    context.progress.note(`Going on: ${work.plans.length - missing.length} of ${work.plans.length} shards are done.`)
  const { passing, waiting } = await computeShards(context, work, missing, shard => {
    finished[shard.number] = shard.finished
  })
  if (passing > 0) context.timing?.({ writeWaitSeconds: waiting, writeWaitShare: waiting / (passing + waiting) })
  const passes = passesOf(context)
  const record = await writeWindows(context.directory, work.dataset, passes)
  passes.end()
  const shards = finished.map(({ shard }) => shard)
  const merged = (ofShards: readonly (readonly Moments[])[]) =>
    work.sites.map((_, site) => ofShards.map(own => own[site]!).reduce(mergeMoments))
  const moments = merged(finished.map(({ moments }) => moments))
  const passed = finished.flatMap(({ population }) => (population ? [population] : []))
  const population = passed.length > 0 ? merged(passed) : null
  const { vocabulary } = work.model.config
  const audited = await audit(context, { ...work, vocabulary, shards, moments, population })
  const manifest = await manifestOf(work, shards, moments, record, audited, passes)
  passes.end()
  await writeAtomic(join(context.directory, 'capture.json'), manifestJson(manifest))
  return manifest
}

/** Where the seconds of the thread that runs the model went, until its last pass ended. */
export interface PassTimes {
  readonly passing: number
  /** Between the passes of two shards: statistics, handing over, and waiting for a place where shards may lie until written. */
  readonly waiting: number
}

/**
 * Computes shards in order; each is written while the next one is computed, by another thread, from the shared memory in which
 * their rows lie and which is used again.
 */
export async function computeShards(
  { directory, signal, progress }: Pick<StageContext, 'directory' | 'signal' | 'progress'>,
  { model, sites, config, sampling, key }: CapturePlan,
  plans: readonly ShardPlan[],
  onShard: (shard: { number: number; finished: FinishedShard }) => void,
): Promise<PassTimes> {
  const writes = new Set<Promise<void>>()
  let failed: { error: unknown } | undefined
  let tokens = 0
  let [passing, waiting] = [0, 0]
  const most = plans.reduce((rows, plan) => Math.max(rows, plan.rows), 0)
  const free: Float32Array[][] = []
  progress.start(
    'Capturing',
    plans.reduce((sum, { passed }) => sum + passed, 0),
    'tokens',
  )
  const onTokens = (count: number) => {
    stopWhereAborted(signal)
    tokens += count
    progress.update(tokens)
  }
  try {
    for (const [i, plan] of plans.entries()) {
      const began = performance.now()
      const into = free.pop() ?? sites.map(({ width }) => new Float32Array(new SharedArrayBuffer(most * width * 4)))
      const values = await captureShard(model, sites, plan, { batchTokens: config.batchTokens, onTokens, into })
      const passed = performance.now()
      passing += passed - began
      // At most so many shards wait in memory to be written.
      while (writes.size >= config.concurrency && !failed) await Promise.race(writes)
      if (failed) break
      const { probabilities } = sampling
      const write = writeShard(directory, plan, sites, values, { config, probabilities, key }).then(
        finished => {
          free.push(into)
          onShard({ number: plan.number, finished })
        },
        error => {
          failed ??= { error }
        },
      )
      const settled = write.finally(() => writes.delete(settled))
      writes.add(settled)
      if (i + 1 < plans.length) waiting += performance.now() - passed
    }
  } finally {
    await Promise.all(writes)
  }
  if (failed) throw failed.error
  progress.finish()
  return { passing: passing / 1000, waiting: waiting / 1000 }
}
