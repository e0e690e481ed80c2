/** The engine that a stage is done on. It is decided before runs are opened, as their keys name it, and started after. */
import { UserError } from '../../core/errors.ts'
import { resolveSettings } from '../../engine/settings.ts'
import { keyOf, type RunRequest } from '../../runs/key.ts'
import type { OpenRun } from '../../runs/open-run.ts'
import type { RunStore } from '../../runs/store.ts'
import type { Session } from './session.ts'
import type { Stage, StageConfig } from './stage.ts'

/** What of a run its key depends on besides the engine. */
type Member = Pick<RunRequest, 'config' | 'inputs' | 'seed'>

export interface DecidedEngine {
  /** What keys depend on. */
  readonly facts: { readonly name: string; readonly precision: string }
  /** Starts it and records it in the runs. A `UserError` where another had to be started than was decided. */
  start(runs: readonly OpenRun[], session: Session): Promise<void>
}

/**
 * Decides on a stage's engine; undefined where it needs none. Where `auto` comes to wasm because TensorFlow is not found,
 * and the store holds work of this stage that TensorFlow did, that is a `UserError`: a scheduled job whose home or cache
 * moved would otherwise do everything again, slower and to other bytes, under other keys.
 */
export async function decideEngine(
  { stage, needsEngine }: Stage,
  config: StageConfig,
  members: readonly Member[],
  store: RunStore,
): Promise<DecidedEngine | undefined> {
  if (needsEngine === false) return undefined
  const engine = await import('../../engine/engine.ts')
  const choice = resolveSettings({ engine: config.engine }).engine
  const { name, reason } = engine.decideEngine(choice)
  if (choice === 'auto' && name === 'wasm') {
    const before = await workOfTensorflow(stage, config.precision, members, store)
    if (before)
      throw new UserError(
        `${reason} for this user, and ${before.id}, a ${stage} run of this store, was made on ${before.engine}: on wasm its like would be made anew, slower, with other bytes and another key.`,
        {
          fix: 'Install it (`pipeline doctor --install`), or name the cache that has it in PIPELINE_CACHE_DIR; --engine wasm goes on without it.',
        },
      )
  }
  return {
    facts: { name, precision: name === 'wasm' ? 'float32' : config.precision },
    async start(runs, { progress }) {
      const { reason, notice, ...facts } = await engine.startEngine({
        engine: config.engine,
        precision: config.precision,
        ...(config.threads === undefined ? {} : { threads: config.threads }),
      })
      if (facts.name !== name)
        throw new UserError(`This ${stage} was to run on ${name}, which its key names. ${notice ?? `${reason}.`}`, {
          fix: `\`pipeline doctor\` shows what is wrong with it and \`pipeline doctor --install\` repairs it; --engine ${facts.name} runs without it.`,
        })
      if (notice) progress.note(notice)
      for (const run of runs) await run.describe({ ...facts, reason })
    },
  }
}

/**
 * The kind of engine and processor of this process, which is started: work of one kind has the same bytes wherever it is
 * done, and that of two kinds may differ in the last digits.
 */
export async function computeClass(): Promise<string> {
  const { currentEngine } = await import('../../engine/engine.ts')
  const { instructionSetsOf } = await import('../../engine/isa.ts')
  const { name, isa, nativeOps } = currentEngine()
  if (name === 'wasm') return name
  const set = isa ?? instructionSetsOf().at(-1) ?? 'unknown'
  const plain = process.env.TF_ENABLE_ONEDNN_OPTS === '0'
  return [name, set, ...(nativeOps ? ['ops'] : []), ...(plain ? ['plain'] : [])].join('-')
}

/** A finished run that is the same work as a member on TensorFlow, or the store's latest of the stage if that was. */
async function workOfTensorflow(
  stage: string,
  precision: string,
  members: readonly Member[],
  store: RunStore,
): Promise<{ id: string; engine: string } | undefined> {
  const { runs } = await store.list()
  const finished = runs.map(({ manifest }) => manifest).filter(run => run.stage === stage && run.status === 'finished')
  const keys = new Set(
    ['tensorflow', 'tensorflow-gpu'].flatMap(name =>
      members.map(member => keyOf({ ...member, stage, engine: { name, precision } })),
    ),
  )
  const latest = finished.filter(({ engine }) => typeof engine.name === 'string').at(-1)
  const found = finished.find(({ key }) => keys.has(key)) ?? (latest?.engine.name === 'wasm' ? undefined : latest)
  return found && { id: found.id, engine: String(found.engine.name) }
}
