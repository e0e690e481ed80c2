/** A stage as a command: its inputs are found and hashed, the store says whether there is work, the engine does it. */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import { FaultError, InterruptedError, SpoiltError, UserError } from '../../core/errors.ts'
import type { StageContext } from '../../core/stage.ts'
import { columns, duration, figure, shortPath, words } from '../../core/text.ts'
import { resolveSettings } from '../../engine/settings.ts'
import type { OpenRun } from '../../runs/open-run.ts'
import type { FinishedRun, RunInput, RunManifest } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { type CommandDefinition, defineCommand, type Outcome, type Session } from '../command.ts'
import { CommonConfig, openStore } from './common.ts'
import { machineFacts, packageVersion } from './version.ts'

/** What a stage is about to do. */
export interface Prepared {
  /** The config as the manifest keeps it: parsed, defaults and inherited inputs filled in. */
  readonly config: Record<string, unknown>
  readonly inputs: readonly RunInput[]
  /** Does the work; called only when the store has no finished run of this key. The engine is started. */
  work(context: StageContext): Promise<object>
}

/** One of several runs that are made in one go. */
export interface PreparedMember {
  /** What sets it apart from the others. */
  readonly label: string
  /** Exactly this id. */
  readonly name?: string | undefined
  readonly seed: number
  readonly config: Record<string, unknown>
  readonly inputs: readonly RunInput[]
}

/** A member that has work to do. */
export interface MemberJob {
  /** Its place among the members. */
  readonly index: number
  readonly context: StageContext
  /** Closes its run; to be called once, as soon as its files are whole. */
  finish(summary: object): Promise<void>
}

/** Several runs of a stage, each with the key it would have alone. */
export interface PreparedTogether {
  readonly members: readonly PreparedMember[]
  /** Does the work of those that the store has no finished run of, which are one or more. */
  work(jobs: readonly MemberJob[]): Promise<void>
}

export interface StageDefinition<S extends z.ZodObject> {
  readonly stage: string
  readonly about: string
  readonly examples: readonly string[]
  /** The stage's own schema. */
  readonly config: S
  /** Keys that name what the stage works on; they may be in `config` already. */
  readonly inputs: Readonly<Record<string, z.ZodType>>
  /** Whether tensors are needed; default true. */
  readonly needsEngine?: boolean
  /** Interventions and their evidence are float32 always. */
  readonly float32Only?: boolean
  prepare(config: Record<string, unknown> & CommonConfig, store: RunStore, session: Session): Promise<Prepared>
  /** The same for a config that asks for several runs; undefined where it asks for one. */
  prepareMany?(
    config: Record<string, unknown> & CommonConfig,
    store: RunStore,
    session: Session,
  ): Promise<PreparedTogether | undefined>
  /** Exit code of a finished run, from its figures: gates may fail or be inconclusive. Default 0. */
  exitCode?(summary: Readonly<Record<string, unknown>>): number
  /** The command that a person is likely to want next. */
  next?(run: RunManifest): string
  /** A last line for people, such as where the thing to look at is. */
  tells?(directory: string): string
  /** Keys that the help page leaves out, and what it says of them instead. */
  readonly hides?: (key: string) => boolean
  readonly footer?: string
}

/** What a stage prints under `--json`. */
export interface StageResult {
  readonly stage: string
  readonly run: string
  readonly directory: string
  readonly state: 'new' | 'resumed' | 'unchanged'
  readonly summary: Readonly<Record<string, unknown>>
  /** Where the time went; differs between equal runs. */
  readonly timing: Readonly<Record<string, number>>
  readonly seconds: number
  readonly exitCode: number
}

/** What a stage that made several runs prints under `--json`. */
export interface StageResults {
  readonly stage: string
  readonly runs: readonly (StageResult & { readonly label: string })[]
  readonly seconds: number
  readonly exitCode: number
}

/** Makes the command of a stage. */
export function defineStage<S extends z.ZodObject>(definition: StageDefinition<S>): CommandDefinition {
  const inputKeys = Object.keys(definition.inputs)
  const own = Object.keys(definition.config.shape).filter(key => !inputKeys.includes(key))
  const common: Record<string, z.ZodType> = { ...CommonConfig }
  if (definition.float32Only)
    common.precision = z.enum(['float32']).default('float32').describe('Interventions are measured in float32')
  // The command's own word on its inputs stands over the stage's, which may have them from elsewhere.
  const schema = z.strictObject({ ...definition.inputs, ...definition.config.shape, ...definition.inputs, ...common })
  return defineCommand({
    about: definition.about,
    examples: definition.examples,
    config: schema,
    groups: [
      { title: 'What it works on', keys: inputKeys },
      { title: 'Settings', keys: own },
      { title: 'The run', keys: Object.keys(common) },
    ],
    ...(definition.hides ? { hides: definition.hides } : {}),
    ...(definition.footer ? { footer: definition.footer } : {}),
    run: (config, session) => runStage(definition, config as Record<string, unknown> & CommonConfig, session),
  })
}

async function runStage<S extends z.ZodObject>(
  definition: StageDefinition<S>,
  config: Record<string, unknown> & CommonConfig,
  session: Session,
): Promise<Outcome> {
  const began = performance.now()
  const store = openStore(config)
  const engine = definition.needsEngine === false ? undefined : await import('../../engine/engine.ts')
  const decision = engine?.decideEngine(resolveSettings({ engine: config.engine }).engine)
  const precision = decision?.name === 'wasm' ? 'float32' : config.precision
  const several = await definition.prepareMany?.(config, store, session)
  const together = several ?? asTogether(await definition.prepare(config, store, session), config)

  const runs: (Slot | FinishedSlot)[] = []
  try {
    for (const { label, ...member } of together.members) {
      const opened = await store.open(
        {
          stage: definition.stage,
          config: member.config,
          inputs: member.inputs,
          seed: member.seed,
          engine: decision ? { name: decision.name, precision } : {},
          versions: { pipeline: packageVersion(), node: process.versions.node },
          machine: machineFacts(),
          ...(member.name === undefined ? {} : { name: member.name }),
          ...(config.prefix === undefined ? {} : { prefix: config.prefix }),
        },
        session.now,
      )
      if (opened.state === 'resumed') session.progress.note(`Going on with the run ${opened.run.manifest.id}.`)
      runs.push(
        opened.state === 'unchanged'
          ? { label, state: opened.state, done: opened.run, seconds: 0 }
          : { label, state: opened.state, open: opened.run, timing: {} },
      )
    }
    await write(runs, async () => {
      const slots = runs.filter(run => 'open' in run)
      if (engine) {
        const { reason, notice, ...facts } = await engine.startEngine({
          engine: config.engine,
          precision: config.precision,
          ...(config.threads === undefined ? {} : { threads: config.threads }),
        })
        if (notice) session.progress.note(notice)
        for (const { open } of slots) await open.describe({ ...facts, reason })
      }
      await together.work(
        slots.map(slot => {
          const index = runs.indexOf(slot)
          const context: StageContext = {
            directory: slot.open.directory,
            metrics: slot.open.metrics,
            seed: together.members[index]!.seed,
            progress: session.progress,
            signal: session.signal,
            timing: facts => Object.assign(slot.timing, facts),
          }
          const finish = async (summary: object) => {
            const done = await slot.open.finish(summary as Record<string, unknown>, slot.timing)
            runs[index] = { ...slot, done, seconds: (performance.now() - began) / 1000 }
          }
          return { index, context, finish }
        }),
      )
    })
  } catch (error) {
    await leave(runs, error)
    throw error
  }
  const finished = runs.map(run => {
    if ('done' in run) return run
    throw new Error(`The stage ${definition.stage} left the run ${run.open.manifest.id} open.`)
  })
  if (!several) return outcome(definition, finished[0]!)
  return outcomes(definition, finished, (performance.now() - began) / 1000)
}

/** A run that is being written. */
interface Slot {
  readonly label: string
  readonly state: 'new' | 'resumed'
  readonly open: OpenRun
  readonly timing: Record<string, number>
}

/** One that is closed, now or before. */
interface FinishedSlot {
  readonly label: string
  readonly state: StageResult['state']
  readonly done: FinishedRun
  readonly seconds: number
}

/** A single run as the only one of several. */
function asTogether({ config, inputs, work }: Prepared, { name, seed }: CommonConfig): PreparedTogether {
  return {
    members: [{ label: '', name, seed, config, inputs }],
    work: async ([job]) => job!.finish(await work(job!.context)),
  }
}

/** Does the work unless all of it is done already. */
async function write(runs: readonly (Slot | FinishedSlot)[], work: () => Promise<void>): Promise<void> {
  if (runs.some(run => 'open' in run)) await work()
}

/**
 * Closes what an error cut short. A user's error leaves no new run behind; whatever else cuts the work short leaves runs
 * that the same command goes on with.
 */
async function leave(runs: readonly (Slot | FinishedSlot)[], error: unknown): Promise<void> {
  const passing = error instanceof InterruptedError || error instanceof FaultError
  const users = error instanceof UserError && !passing
  for (const run of runs) {
    if ('done' in run) continue
    try {
      if (error instanceof SpoiltError || (users && run.state === 'new')) await run.open.discard()
      else await run.open.stop(passing ? 'interrupted' : 'failed')
    } catch {
      // A full disk may keep the manifest from being written; the run stays `running`, which resumes as well.
    }
  }
}

function resultOf<S extends z.ZodObject>(
  { stage, exitCode }: StageDefinition<S>,
  { state, done, seconds }: FinishedSlot,
): StageResult {
  const { directory, manifest } = done
  const { id, summary, timing = {} } = manifest
  return { stage, run: id, directory, state, summary, timing, seconds, exitCode: exitCode?.(summary) ?? 0 }
}

function outcome<S extends z.ZodObject>(definition: StageDefinition<S>, run: FinishedSlot): Outcome {
  const { next, tells } = definition
  const json = resultOf(definition, run)
  const { stage, run: id, directory, state, summary, timing, seconds, exitCode } = json
  const how =
    state === 'unchanged' ? 'unchanged, nothing to do' : `${state === 'resumed' ? 'resumed and ' : ''}finished`
  const rows = [...figuresOf(summary), ...Object.entries(timing)]
  const lines = [
    `${stage} ${id}: ${how}${seconds ? ` in ${duration(seconds)}` : ''}`,
    ...columns(rows.map(([name, value]) => [`  ${words(name)}`, figure(value)])),
    tells ? `  ${tells(shortPath(directory))}` : `  files in ${shortPath(directory)}`,
    ...(next && exitCode === 0 ? [`Next: ${next(run.done.manifest)}`] : []),
  ]
  return { text: lines.join('\n'), json, exitCode }
}

/** Which figures of a stage's summary stand in a closing table of several runs. */
export const keyFigureNames: Readonly<Record<string, readonly string[]>> = {
  capture: ['rows', 'strata', 'shards'],
  train: ['latents', 'l0', 'fvu', 'dead', 'ceRecovered'],
  validate: ['passed', 'failed', 'inconclusive', 'fvu', 'ceRecoveredMean'],
  label: ['alive', 'labelled', 'meanF1'],
  report: ['features', 'bytes'],
}

/** A row a run. */
function outcomes<S extends z.ZodObject>(
  definition: StageDefinition<S>,
  runs: readonly FinishedSlot[],
  seconds: number,
): Outcome {
  const results = runs.map(run => ({ label: run.label, ...resultOf(definition, run) }))
  const exitCode = Math.max(...results.map(result => result.exitCode))
  const known = new Set(results.flatMap(({ summary }) => figuresOf(summary).map(([name]) => name)))
  const names = (keyFigureNames[definition.stage] ?? [...known]).filter(name => known.has(name))
  const rows = results.map(({ label, run, state, summary }) => [
    label,
    run,
    state === 'new' ? 'finished' : state === 'resumed' ? 'resumed and finished' : 'unchanged',
    ...names.map(name => figure(summary[name])),
  ])
  const { stage } = definition
  const worked = results.some(({ state }) => state !== 'unchanged')
  const lines = [
    `${stage}: ${results.length} runs, ${worked ? `done in ${duration(seconds)}` : 'unchanged, nothing to do'}`,
    ...columns(
      [['', 'run', '', ...names.map(words)], ...rows],
      [...names.keys()].map(i => i + 3),
    ).map(line => `  ${line}`),
  ]
  const json: StageResults = { stage, runs: results, seconds: worked ? seconds : 0, exitCode }
  return { text: lines.join('\n'), json, exitCode }
}

/** The part of a parsed config that a stage's own schema knows, parsed by it. */
export function ownConfig<S extends z.ZodObject>(schema: S, config: Readonly<Record<string, unknown>>): z.output<S> {
  const keys = Object.keys(schema.shape)
  return parseConfig(schema, Object.fromEntries(Object.entries(config).filter(([key]) => keys.includes(key))), 'config')
}

/** The plain figures of a summary, in its order. */
export function figuresOf(summary: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(summary).filter(([, value]) => value === null || typeof value !== 'object')
}
