/** A stage's work in units: opened by a process, done one by one, and left as parts from which the run is closed. */
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InterruptedError, UserError } from '../../core/errors.ts'
import { makeFolder } from '../../core/files.ts'
import { memoryMetrics, type StageContext } from '../../core/stage.ts'
import { openObjectStore } from '../../objects/open.ts'
import { Parts } from '../../objects/parts.ts'
import { keyOf } from '../../runs/key.ts'
import { partsFolder } from '../../runs/names.ts'
import type { FinishedRun } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { openStore, sharedPlace } from './common.ts'
import { computeClass, decideEngine } from './engine.ts'
import type { Session } from './session.ts'
import type { Stage, StageConfig } from './stage.ts'
import { packageVersion } from './version.ts'

/** A stage's work that is to be shared among processes: all units are to be done whose parts are not there. */
export interface SharedWork {
  readonly stage: Stage
  readonly config: StageConfig
  readonly parts: Parts
}

/** Has units of work done by other processes. */
export type Crew = (work: SharedWork) => Promise<void>

/** The parts of the work with this key, where a stage's config keeps them. */
export async function partsOf(config: StageConfig, key: string): Promise<Parts> {
  const shared = sharedPlace(config)
  const place = shared === undefined ? join(openStore(config).directory, partsFolder) : `${shared}/parts`
  return new Parts(await openObjectStore(config.parts ?? place), key)
}

/** A stage's work, opened by this process. */
export interface OpenUnits {
  /** The run that the parts belong to. */
  readonly identity: Identity
  readonly names: readonly string[]
  /** Does a unit unless its part is there, or the run is closed meanwhile; whether it did. */
  work(unit: number): Promise<boolean>
  close(): Promise<void>
}

/** The run that a work makes: its key, and what that follows from beside the settings, by name. */
export interface Identity {
  readonly key: string
  readonly basis: Readonly<Record<string, string>>
}

/** What a stage is about to do here, on which engine, and the run that comes of it. */
async function prepareWork(stage: Stage, config: StageConfig, store: RunStore, session: Session) {
  const prepared = await stage.prepare(config, store, session)
  const request = { config: prepared.config, inputs: prepared.inputs, seed: config.seed }
  const engine = await decideEngine(stage, config, [request], store)
  const key = keyOf({ ...request, stage: stage.stage, engine: engine?.facts ?? {} })
  const hashes = Object.fromEntries(prepared.inputs.map(({ role, sha256 }) => [role, sha256]))
  const basis = { version: packageVersion(), ...engine?.facts, ...hashes }
  return { prepared, engine, identity: { key, basis } satisfies Identity }
}

/** The run that a stage with this config would make on this machine. */
export async function identityOfWork(stage: Stage, config: StageConfig, session: Session): Promise<Identity> {
  return (await prepareWork(stage, config, openStore(config), session)).identity
}

/** Opens a stage's work for units of it; the finished run where there is one. */
export async function openUnits(
  stage: Stage,
  config: StageConfig,
  session: Session,
): Promise<OpenUnits | { readonly finished: FinishedRun }> {
  const store = openStore(config)
  const { seed } = config
  const { prepared, engine, identity } = await prepareWork(stage, config, store, session)
  const { key } = identity
  const { divide } = prepared
  if (!divide) throw new UserError(`The stage ${stage.stage} is done by one process, and has no shares.`)
  const isAnswer = ({ manifest }: FinishedRun) => config.name === undefined || config.name === manifest.id
  const finished = await store.finishedWith(key)
  if (finished && isAnswer(finished)) return { finished }
  await engine?.start([], session)
  const parts = await partsOf(config, key)
  const scratch = parts.store.pathOf ? join(parts.store.pathOf(key), '.scratch') : join(tmpdir(), 'pipeline-parts')
  const own = join(scratch, `${process.pid}-${randomUUID()}`)
  await makeFolder(own)
  const context: StageContext = { ...session, seed, directory: own, metrics: memoryMetrics() }
  const units = await divide(context)
  await parts.divide(units.names, packageVersion())
  const closed = await store.finishedWith(key)
  if (closed && isAnswer(closed)) {
    // Closed by another process since it was looked for: what was divided again is nobody's.
    await parts.clear()
    await close()
    return { finished: closed }
  }
  const computedOn = await computeClass()
  async function close(): Promise<void> {
    units.close()
    await rm(own, { recursive: true, force: true })
  }
  async function work(unit: number): Promise<boolean> {
    const name = units.names[unit]
    if (name === undefined) throw new UserError(`There is no unit ${unit}: the work has ${units.names.length}.`)
    if (!(await parts.isOpen()) || (await parts.record(name))) return false
    if (session.signal.aborted)
      throw new InterruptedError('Stopped between two parts.', { fix: 'Start the same command again to go on.' })
    const directory = join(own, String(unit))
    try {
      await makeFolder(directory)
      await units.work(unit, directory, partOf)
      return await parts.publish(name, directory, computedOn)
    } catch (error) {
      // What is removed when the run is closed, other parts and this folder too, is missed by nobody then.
      if (!(error instanceof InterruptedError) && !(await parts.isOpen())) return false
      throw error
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
  async function partOf(unit: number): Promise<string> {
    await work(unit)
    const folder = join(own, 'taken', String(unit))
    await parts.gather(units.names[unit]!, folder)
    return folder
  }
  return { identity, names: units.names, work, close }
}

/**
 * Puts all parts that there are into a run's directory, and gives how many were done by which kind of processor. Parts of
 * another version of the program are a `UserError`, and so are those of unlike kinds, or of another than this process's,
 * unless `mixed`.
 */
export async function gatherParts(parts: Parts, directory: string, mixed: boolean): Promise<Record<string, number>> {
  await parts.mustBeOf(packageVersion())
  const counts: Record<string, number> = {}
  for (const unit of await parts.done()) {
    const { computedOn } = await parts.gather(unit, directory)
    counts[computedOn] = (counts[computedOn] ?? 0) + 1
  }
  const kinds = Object.keys(counts)
  if (kinds.length === 0) return counts
  const own = await computeClass()
  if (!mixed && kinds.some(kind => kind !== own))
    throw new UserError(
      `Parts of this work were done on ${kinds.join(' and ')}, and it is to be closed on ${own}: their bytes may differ in the last digits.`,
      {
        fix: 'Use machines of one kind (PIPELINE_ISA makes unlike ones alike), or take them as they are with --mixed.',
      },
    )
  return counts
}
