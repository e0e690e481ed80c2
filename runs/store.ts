/**
 * The run store: a directory a run, its manifest written first and closed last, immutable after.
 *
 * A run's key is the hash of all that its bytes depend on. Asked for a key it has, the store answers `unchanged` when
 * that run is finished, and `resumed` when it was cut; it never writes into a finished run.
 */
import { readdir, rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { codeOf, messageOf, NotThereError, UserError } from '../core/errors.ts'
import { makeFolder, writeError, writeJson } from '../core/files.ts'
import { takeLock } from '../core/lock.ts'
import { nearest } from '../core/nearest.ts'
import { manifestName } from '../core/stage.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { discardedPrefix, lockName, readRunManifest, refuseStrangers } from './folder.ts'
import { formatVersion, keyOf, type RunRequest } from './key.ts'
import { checkId, checkPrefix, idsFor, isId } from './names.ts'
import { OpenRun } from './open-run.ts'
import { mustBeWhole } from './read.ts'
import { type FinishedRun, manifestSchema, type RunManifest } from './run.ts'
import { mustBeSealed } from './seal.ts'
import { SharedRuns } from './shared.ts'

export type Opened =
  | { readonly state: 'unchanged'; readonly run: FinishedRun }
  | { readonly state: 'new' | 'resumed'; readonly run: OpenRun }

/** A folder of runs. */
export class RunStore {
  readonly directory: string
  readonly #shared: SharedRuns | undefined

  /** `shared` opens the place through which the folder's runs are shared with other machines, where there is one. */
  constructor(directory: string, shared?: () => Promise<ObjectStore>) {
    this.directory = resolve(directory)
    this.#shared = shared && new SharedRuns(shared, this.directory)
  }

  /** Every run, oldest first, and the folders whose manifest cannot be read. */
  async list(): Promise<{ runs: FinishedRun[]; unreadable: { directory: string; reason: string }[] }> {
    const runs: FinishedRun[] = []
    const unreadable: { directory: string; reason: string }[] = []
    for (const directory of await this.#folders()) {
      try {
        const manifest = await readRunManifest(directory)
        if (manifest) runs.push({ directory, manifest })
      } catch (error) {
        unreadable.push({ directory, reason: messageOf(error) })
      }
    }
    const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
    runs.sort((a, b) => order(a.manifest.started, b.manifest.started) || order(a.manifest.id, b.manifest.id))
    return { runs, unreadable }
  }

  /** The run with this id, or at this directory, whatever its status; one that is not here is taken from the shared place. */
  async find(reference: string): Promise<FinishedRun> {
    const inStore = /[/\\]/.test(reference) ? undefined : join(this.directory, reference)
    for (const directory of [inStore, resolve(reference)]) {
      const manifest = directory && (await readRunManifest(directory))
      if (directory && manifest) return { directory, manifest }
    }
    const taken = inStore && (await this.take(reference))
    if (taken) return taken
    const ids = (await this.#folders()).map(folder => basename(folder))
    if (ids.includes(reference))
      throw new NotThereError(`${inStore} has no run.json: it is no run, or one that lost its manifest.`, {
        fix: 'Put run.json back, or start the command again under another name.',
      })
    throw new NotThereError(`There is no run ${reference} in ${this.directory}.`, {
      fix: ids.length
        ? `Did you mean ${nearest(reference, ids, 3).join(', ')}? \`pipeline runs list\` shows all.`
        : 'This store is empty; --runs-dir or PIPELINE_RUNS names another.',
    })
  }

  /** The run of this id from the shared place, which it is put here from; undefined where there is no such place or run. */
  async take(id: string): Promise<FinishedRun | undefined> {
    return isId(id) ? this.#shared?.take(id) : undefined
  }

  /** A finished run of the stage, by id or directory, whose manifest holds together; anything else is a `UserError`. */
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
    mustBeSealed(run)
    return run
  }

  /** The finished run of this key, or undefined where there is none. */
  async finishedWith(key: string): Promise<FinishedRun | undefined> {
    const { runs } = await this.list()
    const here = runs.find(({ manifest }) => manifest.key === key && manifest.status === 'finished')
    const found = here ?? (await this.#shared?.takeWith(key))
    if (found) mustBeSealed(found)
    return found
  }

  /**
   * Opens the run of this key for writing, or answers with the finished one, whose files are hashed for it: an `InterruptedError` where
   * the signal is aborted meanwhile.
   */
  async open(request: RunRequest, now: () => Date, signal?: AbortSignal): Promise<Opened> {
    const key = keyOf(request)
    if (request.name !== undefined) checkId(request.name)
    if (request.prefix !== undefined) checkPrefix(request.prefix)
    const ids = request.name !== undefined ? [request.name] : idsFor(request.prefix ?? request.stage, key)
    if (request.name === undefined) {
      const same = (await this.list()).runs.filter(run => run.manifest.key === key)
      const finished = same.find(run => run.manifest.status === 'finished')
      const run = finished ?? (await this.#shared?.takeWith(key)) ?? same[0]
      if (run?.manifest.status === 'finished') return this.#unchanged(run, signal)
      if (run) ids.unshift(run.manifest.id)
    }
    for (const id of ids) {
      const directory = join(this.directory, id)
      const before = (await readRunManifest(directory)) ?? (await this.take(id))?.manifest
      if (before && before.key !== key) {
        if (request.name === undefined) continue
        throw new UserError(`The run ${id} exists and was made from another config or other inputs.`, {
          fix: `Choose another --name, or delete ${directory}. \`pipeline runs show ${id}\` tells what it is.`,
        })
      }
      if (before?.status === 'finished') return this.#unchanged({ directory, manifest: before }, signal)
      return this.#write(id, key, request, now, signal)
    }
    throw new Error(`No id is free for the key ${key}.`)
  }

  async #write(
    id: string,
    key: string,
    request: RunRequest,
    now: () => Date,
    signal: AbortSignal | undefined,
  ): Promise<Opened> {
    const directory = join(this.directory, id)
    await refuseStrangers(directory)
    try {
      await makeFolder(directory)
      for (const name of await readdir(this.directory))
        if (name.startsWith(discardedPrefix)) await rm(join(this.directory, name), { recursive: true, force: true })
    } catch (error) {
      throw writeError(directory, error)
    }
    const lock = await takeLock(join(directory, lockName), { what: `The run ${directory}` })
    try {
      // Another process may have made or finished it while this one waited for the lock.
      const before = await readRunManifest(directory)
      if (before && before.key !== key) throw new UserError(`The run ${id} was made by another process meanwhile.`)
      if (before?.status === 'finished') {
        await lock.release()
        return this.#unchanged({ directory, manifest: before }, signal)
      }
      const manifest: RunManifest = {
        schema: manifestSchema,
        format: formatVersion,
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
        sha256: null,
      }
      await writeJson(join(directory, manifestName), manifest)
      return {
        state: before ? 'resumed' : 'new',
        run: new OpenRun(directory, manifest, lock, now, run => this.#leave(run)),
      }
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** A run whose manifest was tampered with, or whose files are missing or changed, is no answer. It may not have been left in the shared place yet. */
  async #unchanged(run: FinishedRun, signal: AbortSignal | undefined): Promise<Opened> {
    mustBeSealed(run)
    await mustBeWhole(run, signal)
    await this.#leave(run)
    return { state: 'unchanged', run }
  }

  async #leave(run: FinishedRun): Promise<void> {
    await this.#shared?.leave(run)
  }

  async #folders(): Promise<string[]> {
    try {
      const entries = await readdir(this.directory, { withFileTypes: true })
      return entries
        .filter(entry => entry.isDirectory() && !entry.name.startsWith('.'))
        .map(entry => join(this.directory, entry.name))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      if (codeOf(error) === 'ENOTDIR')
        throw new UserError(`There can be no runs in ${this.directory}: it is a file, or lies in one.`, {
          fix: 'Name a folder with --runs-dir, or in PIPELINE_RUNS.',
          cause: error,
        })
      throw error
    }
  }
}
