/** Doing a stage: the store says whether there is work, the engine does it, and its runs are closed or left resumable. */
import { FaultError, InterruptedError, messageOf, SpoiltError, UserError } from '../../core/errors.ts'
import type { Gate } from '../../core/gate.ts'
import type { StageContext } from '../../core/stage.ts'
import type { Parts } from '../../objects/parts.ts'
import type { OpenRun } from '../../runs/open-run.ts'
import type { FinishedRun } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { openStore } from './common.ts'
import { type Crew, gatherParts, partsOf } from './divide.ts'
import { type DecidedEngine, decideEngine } from './engine.ts'
import { telling } from './inputs.ts'
import type { Session } from './session.ts'
import type { MemberJob, Prepared, PreparedTogether, Stage, StageConfig } from './stage.ts'
import { machineFacts, packageVersion } from './version.ts'

/** What a stage came to. */
export interface StageResult {
  readonly stage: string
  readonly run: string
  readonly directory: string
  readonly state: 'new' | 'resumed' | 'unchanged'
  readonly summary: Readonly<Record<string, unknown>>
  /** Thresholds that the run was held to. */
  readonly gates?: readonly Gate[]
  /** What else there is to say of it now, and the same as data: it may be another thing when the store has other runs. */
  readonly notes?: readonly string[]
  readonly found?: Readonly<Record<string, unknown>>
  /** Where the time went; differs between equal runs. */
  readonly timing: Readonly<Record<string, number>>
  readonly seconds: number
  readonly exitCode: number
}

/** What a stage that made several runs came to. */
export interface StageResults {
  readonly stage: string
  readonly runs: readonly (StageResult & { readonly label: string })[]
  readonly seconds: number
  readonly exitCode: number
}

/**
 * Does a stage with a config that `stageSchema` has parsed; a crew shares the work of one that can be divided. Throws what cut
 * it short, after closing its runs.
 */
export async function performStage(
  stage: Stage,
  config: StageConfig,
  session: Session,
  crew?: Crew,
): Promise<StageResult | StageResults> {
  const began = performance.now()
  const elapsed = () => (performance.now() - began) / 1000
  const store = openStore(config)
  const several = await stage.prepareMany?.(config, store, session)
  const single = several ? undefined : await stage.prepare(config, store, session)
  const together = several ?? alone(single!, config)
  const needsEngine = single?.needsEngine ?? stage.needsEngine ?? true
  const engine = await decideEngine({ ...stage, needsEngine }, config, together.members, store)
  const runs: (Slot | FinishedSlot)[] = []
  try {
    for (const member of together.members) runs.push(await open(stage, config, member, engine, store, session))
    const slots = runs.filter(run => 'open' in run)
    const first = runs[0] && ('done' in runs[0] ? runs[0].done : runs[0].open)
    const divided = stage.divisible && first ? await partsOf(config, first.manifest.key) : undefined
    if (slots.length === 0) await sweep(divided, session)
    else {
      if (divided && crew) await crew({ stage, config, parts: divided })
      await engine?.start(
        slots.map(({ open }) => open),
        session,
      )
      if (session.signal.aborted)
        throw new InterruptedError('Stopped before the work began.', { fix: 'Start the same command again to go on.' })
      if (divided) await takeParts(divided, slots[0]!.open, config)
      await together.work(
        slots.map(slot => {
          const index = runs.indexOf(slot)
          return jobOf(slot, index, together.members[index]!.seed, session, done => {
            runs[index] = { label: slot.label, state: slot.state, done, seconds: elapsed() }
          })
        }),
      )
      await divided?.clear()
    }
  } catch (error) {
    await leave(runs, error)
    throw error
  }
  const results: (StageResult & { label: string })[] = []
  for (const run of runs) {
    if (!('done' in run)) throw new Error(`The stage ${stage.stage} left the run ${run.open.manifest.id} open.`)
    results.push({ label: run.label, ...(await resultOf(stage, config, store, run)) })
  }
  if (!several) {
    const { label: _, ...result } = results[0]!
    return result
  }
  const worked = results.some(({ state }) => state !== 'unchanged')
  const exitCode = Math.max(...results.map(result => result.exitCode))
  return { stage: stage.stage, runs: results, seconds: worked ? elapsed() : 0, exitCode }
}

/** Removes the parts that a worker of a finished run left since it was killed as it removed them. A place that is away keeps them. */
async function sweep(parts: Parts | undefined, { progress }: Session): Promise<void> {
  try {
    await parts?.clear()
  } catch (error) {
    progress.note(`Parts of the finished run may be left in ${parts!.store.place}: ${messageOf(error)}`)
  }
}

/** Puts what other processes did into the run, and records on what kinds of processors that was. */
async function takeParts(parts: Parts, run: OpenRun, { mixed = false }: StageConfig): Promise<void> {
  const computedOn = await gatherParts(parts, run.directory, mixed)
  if (Object.keys(computedOn).length > 0) await run.describe({ ...run.manifest.engine, parts: computedOn })
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
function alone({ config, inputs, work }: Prepared, { name, seed }: StageConfig): PreparedTogether {
  return {
    members: [{ label: '', name, seed, config, inputs }],
    work: async ([job]) => job!.finish(await work(job!.context)),
  }
}

async function open(
  { stage }: Stage,
  { prefix }: StageConfig,
  { label, ...member }: PreparedTogether['members'][number],
  engine: DecidedEngine | undefined,
  store: RunStore,
  { progress, now, signal }: Session,
): Promise<Slot | FinishedSlot> {
  const request = {
    stage,
    config: member.config,
    inputs: member.inputs,
    seed: member.seed,
    engine: engine?.facts ?? {},
    versions: { pipeline: packageVersion(), node: process.versions.node },
    machine: machineFacts(),
    ...(member.name === undefined ? {} : { name: member.name }),
    ...(prefix === undefined ? {} : { prefix }),
  }
  const opened = await telling(progress, `Hashing the files of the ${stage} run …`, () =>
    store.open(request, now, signal),
  )
  if (opened.state === 'unchanged') return { label, state: opened.state, done: opened.run, seconds: 0 }
  if (opened.state === 'resumed') progress.note(`Going on with the run ${opened.run.manifest.id}.`)
  return { label, state: opened.state, open: opened.run, timing: {} }
}

function jobOf(
  { open, timing }: Slot,
  index: number,
  seed: number,
  { progress, signal }: Session,
  closed: (done: FinishedRun) => void,
): MemberJob {
  const context: StageContext = {
    directory: open.directory,
    metrics: open.metrics,
    seed,
    progress,
    signal,
    timing: facts => Object.assign(timing, facts),
  }
  const finish = async (summary: object) => closed(await open.finish(summary as Record<string, unknown>, timing))
  return { index, context, finish }
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

/** What a finished run comes to, held to the `judged` keys of a config. */
export async function resultOf(
  { stage, judge }: Stage,
  config: StageConfig,
  store: RunStore,
  { state, done, seconds }: Omit<FinishedSlot, 'label'>,
): Promise<StageResult> {
  const { directory, manifest } = done
  const { id, summary, timing = {} } = manifest
  const { gates = [], notes = [], found } = (await judge?.(done, config, store)) ?? {}
  return {
    stage,
    run: id,
    directory,
    state,
    summary,
    ...(gates.length > 0 ? { gates } : {}),
    ...(notes.length > 0 ? { notes } : {}),
    ...(found ? { found } : {}),
    timing,
    seconds,
    exitCode: exitCodeOf(gates),
  }
}

/** Exit code of a run with these gates: 2 where one failed, else 3 where one is inconclusive, else 0. */
export function exitCodeOf(gates: readonly Gate[]): number {
  if (gates.some(({ status }) => status === 'fail')) return 2
  return gates.some(({ status }) => status === 'inconclusive') ? 3 : 0
}
