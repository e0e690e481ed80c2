/** What a stage is: its settings, what it works on, and its work. Nothing here knows the command line. */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import type { Gate } from '../../core/gate.ts'
import type { StageContext } from '../../core/stage.ts'
import type { FinishedRun, RunInput } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { CommonConfig, ProcessConfig, ShareConfig } from './common.ts'
import type { Session } from './session.ts'

/** A stage's config as it is given to it: parsed by `stageSchema`. */
export type StageConfig = Record<string, unknown> & CommonConfig & Partial<ShareConfig>

/** Work in units that processes of their own can do, each a function of config, inputs, seed and the unit alone. */
export interface Units {
  /** What each is called: a plain file name. In every process the same ones in the same order. */
  readonly names: readonly string[]
  /**
   * Does one. Writes its files into `directory`, which is empty: those by which the stage's work knows, where they lie in the
   * run's directory, that this much is done. What it builds on comes before it in `names`; `partOf` gives the folder of what
   * such a unit left, and has it done here where nobody did it yet.
   */
  work(unit: number, directory: string, partOf: (unit: number) => Promise<string>): Promise<void>
  /** Frees what was opened. */
  close(): void
}

/** What a stage is about to do. */
export interface Prepared {
  /** The config as the manifest keeps it: parsed, defaults and inherited inputs filled in. */
  readonly config: Record<string, unknown>
  readonly inputs: readonly RunInput[]
  /** Whether this work needs tensors, where that depends on what it works on; default: what the stage says. */
  readonly needsEngine?: boolean
  /** Does the work; called only when the store has no finished run of this key. The engine is started. */
  work(context: StageContext): Promise<object>
  /** Opens what units of the work need; the directory of `context` is a folder for the time being. The engine is started. */
  divide?(context: StageContext): Promise<Units>
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

/** What came of holding a finished run to the `judged` keys, and of what else there is in the store. */
export interface Judged {
  readonly gates: readonly Gate[]
  /** Sentences for the person who reads the result. */
  readonly notes?: readonly string[]
  /** The same as data, for programs. */
  readonly found?: Readonly<Record<string, unknown>>
}

export interface Stage<S extends z.ZodObject = z.ZodObject> {
  readonly stage: string
  /** What it does, in a sentence or two. */
  readonly about: string
  /** The stage's own schema: all of it that its bytes depend on. */
  readonly config: S
  /** Keys that name what the stage works on; they may be in `config` already. */
  readonly inputs: Readonly<Record<string, z.ZodType>>
  /** Keys that finished runs are judged by. They change no byte, so that a run is not made again for them. */
  readonly judged?: Readonly<Record<string, z.ZodType>>
  /** Figures of its summary that stand in a table of several runs, most wanted first. */
  readonly figures: readonly string[]
  /** Whether tensors are needed; default true. */
  readonly needsEngine?: boolean
  /** Interventions and their evidence are float32 always. */
  readonly float32Only?: boolean
  /** Whether what it prepares has `divide`. */
  readonly divisible?: boolean
  prepare(config: StageConfig, store: RunStore, session: Session): Promise<Prepared>
  /** The same for a config that asks for several runs; undefined where it asks for one. */
  prepareMany?(config: StageConfig, store: RunStore, session: Session): Promise<PreparedTogether | undefined>
  /** Holds a finished run to the `judged` keys of a config. */
  judge?(run: FinishedRun, config: StageConfig, store: RunStore): Promise<Judged>
}

/** Types a stage; nothing else. */
export function defineStage<S extends z.ZodObject>(stage: Stage<S>): Stage<S> {
  return stage
}

/** Everything that may be set for a stage: what it works on, its settings, and the run's. */
export function stageSchema(stage: Stage): z.ZodObject {
  const common: Record<string, z.ZodType> = { ...CommonConfig }
  // What computes is asked of stages that compute.
  if (stage.needsEngine === false) for (const key of Object.keys(ProcessConfig)) delete common[key]
  if (stage.float32Only)
    common.precision = z.enum(['float32']).default('float32').describe('Interventions are measured in float32')
  if (stage.divisible) Object.assign(common, ShareConfig)
  // A stage's word on its inputs stands over its settings' own, which may have them from elsewhere.
  return z.strictObject({ ...stage.inputs, ...stage.config.shape, ...stage.inputs, ...stage.judged, ...common })
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
