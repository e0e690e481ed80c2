/**
 * The run store: a directory a run, its manifest written first and closed last, immutable after.
 *
 * A run's key is the hash of all that its bytes depend on. Asked for a key it has, the store answers `unchanged` when
 * that run is finished, and `resumed` when it was cut; it never writes into a finished run.
 */
import { access, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { codeOf, messageOf, UserError } from '../core/errors.ts'
import { nameOfPath, writeError, writeJson } from '../core/files.ts'
import { hashValue, sha256File } from '../core/hash.ts'
import { nearest } from '../core/nearest.ts'
import { lockName, takeLock } from './lock.ts'
import { MetricsFile } from './metrics.ts'
import { checkId, idsFor } from './names.ts'
import { type RunInput, RunManifest } from './run.ts'

/** Raised whenever the same config and inputs give other bytes than before, so that old runs are not taken for new. */
export const formatVersion = 2

/** What a run is to be: everything its bytes depend on, and how it may be called. */
export interface RunRequest {
  readonly stage: string
  /** The parsed config, defaults filled in. */
  readonly config: Readonly<Record<string, unknown>>
  readonly inputs: readonly RunInput[]
  readonly seed: number
  /** The engine's facts; `name` and `precision` are part of the key. */
  readonly engine: Readonly<Record<string, unknown>>
  readonly versions: Readonly<Record<string, string>>
  readonly machine: Readonly<Record<string, unknown>>
  /** Exactly this id. */
  readonly name?: string
  /** What a generated id begins with; default the stage. */
  readonly prefix?: string
}

/** A finished run. */
export interface FinishedRun {
  readonly directory: string
  readonly manifest: RunManifest
}

export type Opened =
  | { readonly state: 'unchanged'; readonly run: FinishedRun }
  | { readonly state: 'new' | 'resumed'; readonly run: OpenRun }

/**
 * The key of a run: sha256 over format, stage, seed, engine, config and the inputs' hashes. Where an input lies is
 * not part of it, so config keys that only name inputs (`model`, `dataset.path`, `capture` …) are left out; what a model
 * or text is called is, since other tools are told.
 */
export function keyOf(request: Pick<RunRequest, 'stage' | 'config' | 'inputs' | 'seed' | 'engine'>): string {
  const config: Record<string, unknown> = { ...request.config }
  for (const { role } of request.inputs) {
    const value = config[role]
    if (value !== null && typeof value === 'object') config[role] = { ...value, path: undefined }
    else delete config[role]
  }
  return hashValue({
    format: formatVersion,
    stage: request.stage,
    seed: request.seed,
    engine: { name: request.engine.name, precision: request.engine.precision },
    config,
    inputs: request.inputs.map(({ role, sha256, run, path }) =>
      run === undefined && path !== undefined ? { role, sha256, name: nameOfPath(path) } : { role, sha256 },
    ),
  })
}

/** The content hash of a finished run: what other runs record when it is their input. */
export function contentHash(manifest: RunManifest): string {
  return hashValue(manifest.files)
}

/** A folder of runs. */
export class RunStore {
  readonly directory: string

  constructor(directory: string) {
    this.directory = resolve(directory)
  }

  /** Every run, oldest first, and the folders whose manifest cannot be read. */
  async list(): Promise<{ runs: FinishedRun[]; unreadable: { directory: string; reason: string }[] }> {
    const runs: FinishedRun[] = []
    const unreadable: { directory: string; reason: string }[] = []
    for (const directory of await this.#folders()) {
      try {
        const manifest = await readManifest(directory)
        if (manifest) runs.push({ directory, manifest })
      } catch (error) {
        unreadable.push({ directory, reason: messageOf(error) })
      }
    }
    const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
    runs.sort((a, b) => order(a.manifest.started, b.manifest.started) || order(a.manifest.id, b.manifest.id))
    return { runs, unreadable }
  }

  /** The run with this id, or at this directory, whatever its status. */
  async find(reference: string): Promise<FinishedRun> {
    const inStore = /[/\\]/.test(reference) ? undefined : join(this.directory, reference)
    for (const directory of [inStore, resolve(reference)]) {
      const manifest = directory && (await readManifest(directory))
      if (directory && manifest) return { directory, manifest }
    }
    const ids = (await this.#folders()).map(folder => basename(folder))
    throw new UserError(`There is no run ${reference} in ${this.directory}.`, {
      fix: ids.length
        ? `Did you mean ${nearest(reference, ids, 3).join(', ')}? \`pipeline runs list\` shows all.`
        : 'This store is empty; --runs-dir or PIPELINE_RUNS names another.',
    })
  }

  /** A finished run of the stage, by id or directory; anything else is a `UserError`. */
  async finished(reference: string, stages: readonly string[]): Promise<FinishedRun> {
    const run = await this.find(reference)
    const { id, stage, status } = run.manifest
    if (!stages.includes(stage))
      throw new UserError(`The run ${id} is a ${stage} run, but a ${stages.join(' or ')} run is needed.`, {
        fix: '`pipeline runs list` shows the stage of every run.',
      })
    if (status !== 'finished')
      throw new UserError(`The run ${id} is not finished (its status is ${status}).`, {
        fix: `Start the command that made it again; it goes on where it stopped.`,
      })
    return run
  }

  /** Opens the run of this key for writing, or answers with the finished one. */
  async open(request: RunRequest, now: () => Date): Promise<Opened> {
    const key = keyOf(request)
    if (request.name !== undefined) checkId(request.name)
    if (request.prefix !== undefined) checkId(request.prefix)
    const ids = request.name !== undefined ? [request.name] : idsFor(request.prefix ?? request.stage, key)
    if (request.name === undefined) {
      const same = (await this.list()).runs.filter(run => run.manifest.key === key)
      const run = same.find(run => run.manifest.status === 'finished') ?? same[0]
      if (run?.manifest.status === 'finished') return { state: 'unchanged', run }
      if (run) ids.unshift(run.manifest.id)
    }
    for (const id of ids) {
      const directory = join(this.directory, id)
      const before = await readManifest(directory)
      if (before && before.key !== key) {
        if (request.name === undefined) continue
        throw new UserError(`The run ${id} exists and was made from another config or other inputs.`, {
          fix: `Choose another --name, or delete ${directory}. \`pipeline runs show ${id}\` tells what it is.`,
        })
      }
      if (before?.status === 'finished') return { state: 'unchanged', run: { directory, manifest: before } }
      return this.#write(id, key, request, now)
    }
    throw new Error(`No id is free for the key ${key}.`)
  }

  async #write(id: string, key: string, request: RunRequest, now: () => Date): Promise<Opened> {
    const directory = join(this.directory, id)
    await refuseStrangers(directory)
    try {
      await mkdir(directory, { recursive: true })
    } catch (error) {
      throw writeError(directory, error)
    }
    const unlock = await takeLock(directory)
    try {
      // Another process may have made or finished it while this one waited for the lock.
      const before = await readManifest(directory)
      if (before && before.key !== key) throw new UserError(`The run ${id} was made by another process meanwhile.`)
      if (before?.status === 'finished') {
        await unlock()
        return { state: 'unchanged', run: { directory, manifest: before } }
      }
      const manifest: RunManifest = {
        schema: 1,
        id,
        stage: request.stage,
        status: 'running',
        config: { ...request.config },
        inputs: [...request.inputs],
        key,
        seed: request.seed,
        engine: { ...request.engine },
        versions: { ...request.versions },
        machine: { ...request.machine },
        started: before?.started ?? now().toISOString(),
        finished: null,
        summary: {},
        files: {},
      }
      await writeJson(join(directory, manifestName), manifest)
      return { state: before ? 'resumed' : 'new', run: new OpenRun(directory, manifest, unlock, now) }
    } catch (error) {
      await unlock()
      throw error
    }
  }

  async #folders(): Promise<string[]> {
    try {
      const entries = await readdir(this.directory, { withFileTypes: true })
      return entries.filter(entry => entry.isDirectory()).map(entry => join(this.directory, entry.name))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    }
  }
}

/** A run that is being written. It ends by exactly one of `finish`, `stop` and `discard`. */
export class OpenRun {
  readonly directory: string
  readonly metrics: MetricsFile
  #manifest: RunManifest
  readonly #unlock: () => Promise<void>
  readonly #now: () => Date

  constructor(directory: string, manifest: RunManifest, unlock: () => Promise<void>, now: () => Date) {
    this.directory = directory
    this.metrics = new MetricsFile(join(directory, metricsName))
    this.#manifest = manifest
    this.#unlock = unlock
    this.#now = now
  }

  get manifest(): RunManifest {
    return this.#manifest
  }

  /** Records what runs the work, once it is started. */
  async describe(engine: Readonly<Record<string, unknown>>): Promise<void> {
    this.#manifest = { ...this.#manifest, engine: { ...engine } }
    await writeJson(join(this.directory, manifestName), this.#manifest)
  }

  /** Closes the run: hashes its files and writes the manifest for the last time. */
  async finish(
    summary: Readonly<Record<string, unknown>>,
    timing: Readonly<Record<string, number>> = {},
  ): Promise<FinishedRun> {
    const empty = this.metrics.lines === 0
    this.metrics.close()
    if (empty) await rm(join(this.directory, metricsName), { force: true })
    for (const name of await leftoversOf(this.directory)) await rm(join(this.directory, name))
    const files: Record<string, string> = {}
    for (const name of await filesOf(this.directory)) files[name] = await sha256File(join(this.directory, name))
    await this.#close({
      status: 'finished',
      finished: this.#now().toISOString(),
      summary: { ...summary },
      ...(Object.keys(timing).length > 0 ? { timing: { ...timing } } : {}),
      files,
    })
    return { directory: this.directory, manifest: this.#manifest }
  }

  /** Leaves the run as it is, to be resumed by the same command. */
  async stop(status: 'interrupted' | 'failed'): Promise<void> {
    this.metrics.close()
    await this.#close({ status })
  }

  /** Removes the run and everything in it. */
  async discard(): Promise<void> {
    this.metrics.close()
    await rm(this.directory, { recursive: true, force: true })
  }

  async #close(changes: Partial<RunManifest>): Promise<void> {
    this.#manifest = { ...this.#manifest, ...changes }
    try {
      await writeJson(join(this.directory, manifestName), this.#manifest)
    } finally {
      await this.#unlock()
    }
  }
}

const manifestName = 'run.json'
const metricsName = 'metrics.jsonl'

/** Files of a run by relative path, sorted, without the manifest, the lock and half-written leftovers. */
export async function filesOf(directory: string): Promise<string[]> {
  return (await walk(directory)).filter(name => name !== manifestName && !ours(name))
}

/** Half-written files that a killed process left. */
async function leftoversOf(directory: string): Promise<string[]> {
  return (await walk(directory)).filter(name => name.endsWith('.partial'))
}

async function walk(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
}

/** Whether the store may find this in a folder that is not a run yet. */
function ours(name: string): boolean {
  return name.startsWith(lockName) || name.endsWith('.partial')
}

/** The manifest in a directory, or undefined where there is none. */
export async function readManifest(directory: string): Promise<RunManifest | undefined> {
  const path = join(directory, manifestName)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UserError(`The manifest ${path} is not JSON: ${messageOf(error)}.`, { cause: error })
  }
  const result = RunManifest.safeParse(value)
  if (result.success) return result.data
  const schema = (value as { schema?: unknown } | null)?.schema
  throw new UserError(
    schema === 1
      ? `The manifest ${path} is not one of ours: ${result.error.issues[0]?.path.join('.')}: ${result.error.issues[0]?.message}.`
      : `The manifest ${path} has schema ${JSON.stringify(schema)}, but this version reads schema 1.`,
  )
}

/** A folder that holds something else must not become a run. */
async function refuseStrangers(directory: string): Promise<void> {
  try {
    await access(join(directory, manifestName))
    return
  } catch {
    // no manifest: new, or made by a process that died before it wrote one
  }
  try {
    const stranger = (await readdir(directory)).find(name => !ours(name))
    if (stranger === undefined) return
    throw new UserError(`${directory} exists and is not a run (it holds ${stranger}).`, {
      fix: `Choose another --name, or another --runs-dir than ${dirname(directory)}.`,
    })
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return
    if (code === 'ENOTDIR')
      throw new UserError(`${directory} is a file, so no run can be made there.`, { cause: error })
    throw error
  }
}
