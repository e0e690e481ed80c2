/** A stage as a command: its inputs are found and hashed, the store says whether there is work, the engine does it. */
import { z } from 'zod'
import { parseConfig } from '../core/config.ts'
import { FaultError, InterruptedError, UserError } from '../core/errors.ts'
import type { StageContext } from '../core/stage.ts'
import type { RunInput, RunManifest } from '../runs/run.ts'
import type { FinishedRun, OpenRun, RunStore } from '../runs/store.ts'
import { type CommandDefinition, defineCommand, type Outcome, type Session } from './command.ts'
import { CommonConfig, openStore } from './common.ts'
import { columns, duration, figure, shortPath, words } from './text.ts'
import { machineFacts, packageVersion } from './version.ts'

/** What a stage is about to do. */
export interface Prepared {
  /** The config as the manifest keeps it: parsed, defaults and inherited inputs filled in. */
  readonly config: Record<string, unknown>
  readonly inputs: readonly RunInput[]
  /** Does the work; called only when the store has no finished run of this key. The engine is started. */
  work(context: StageContext): Promise<object>
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
  /** Exit code of a finished run, from its figures: gates may fail or be inconclusive. Default 0. */
  exitCode?(summary: Readonly<Record<string, unknown>>): number
  /** The command that a person is likely to want next. */
  next?(run: RunManifest): string
  /** A last line for people, such as where the thing to look at is. */
  tells?(directory: string): string
}

/** What a stage prints under `--json`. */
export interface StageResult {
  readonly stage: string
  readonly run: string
  readonly directory: string
  readonly state: 'new' | 'resumed' | 'unchanged'
  readonly summary: Readonly<Record<string, unknown>>
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
  const engine = definition.needsEngine === false ? undefined : await import('../engine/engine.ts')
  const decision = engine?.decideEngine(engine.resolveSettings({ engine: config.engine }).engine)
  const precision = decision?.name === 'wasm' ? 'float32' : config.precision
  const { work, ...prepared } = await definition.prepare(config, store, session)

  const opened = await store.open(
    {
      stage: definition.stage,
      config: prepared.config,
      inputs: prepared.inputs,
      seed: config.seed,
      engine: decision ? { name: decision.name, precision } : {},
      versions: { pipeline: packageVersion(), node: process.versions.node },
      machine: machineFacts(),
      ...(config.name === undefined ? {} : { name: config.name }),
      ...(config.prefix === undefined ? {} : { prefix: config.prefix }),
    },
    session.now,
  )
  if (opened.state === 'unchanged') return outcome(definition, opened.run, 'unchanged', 0)
  if (opened.state === 'resumed') session.progress.note(`Going on with the run ${opened.run.manifest.id}.`)
  const done = await write(opened.run, opened.state === 'new', async run => {
    if (engine) {
      const { reason, notice, ...facts } = await engine.startEngine({
        engine: config.engine,
        precision: config.precision,
        ...(config.threads === undefined ? {} : { threads: config.threads }),
      })
      if (notice) session.progress.note(notice)
      await run.describe({ ...facts, reason })
    }
    const { directory, metrics } = run
    return work({ directory, metrics, seed: config.seed, progress: session.progress, signal: session.signal })
  })
  return outcome(definition, done, opened.state, (performance.now() - began) / 1000)
}

/**
 * Does the work and closes the run as it ended. A user's error leaves no new run behind; whatever else cuts the work
 * short leaves one that the same command goes on with.
 */
async function write(run: OpenRun, fresh: boolean, work: (run: OpenRun) => Promise<object>): Promise<FinishedRun> {
  try {
    const summary = await work(run)
    return await run.finish(summary as Record<string, unknown>)
  } catch (error) {
    const passing = error instanceof InterruptedError || error instanceof FaultError
    const users = error instanceof UserError && !passing
    try {
      if (users && fresh) await run.discard()
      else await run.stop(passing ? 'interrupted' : 'failed')
    } catch {
      // A full disk may keep the manifest from being written; the run stays `running`, which resumes as well.
    }
    throw error
  }
}

function outcome<S extends z.ZodObject>(
  { stage, exitCode, next, tells }: StageDefinition<S>,
  { directory, manifest }: FinishedRun,
  state: StageResult['state'],
  seconds: number,
): Outcome {
  const { id, summary } = manifest
  const code = exitCode?.(summary) ?? 0
  const how =
    state === 'unchanged' ? 'unchanged, nothing to do' : `${state === 'resumed' ? 'resumed and ' : ''}finished`
  const rows = figuresOf(summary).map(([name, value]) => [`  ${words(name)}`, figure(value)])
  const lines = [
    `${stage} ${id}: ${how}${seconds ? ` in ${duration(seconds)}` : ''}`,
    ...columns(rows),
    tells ? `  ${tells(shortPath(directory))}` : `  files in ${shortPath(directory)}`,
    ...(next && code === 0 ? [`Next: ${next(manifest)}`] : []),
  ]
  const json: StageResult = { stage, run: id, directory, state, summary, seconds, exitCode: code }
  return { text: lines.join('\n'), json, exitCode: code }
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
