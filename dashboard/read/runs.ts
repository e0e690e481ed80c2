/** The runs of a store as pages and programs see them: manifests read again only where their file has changed. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { NotThereError } from '../../core/errors.ts'
import { hashValue } from '../../core/hash.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { RunId } from '../../runs/run.ts'
import { RunStore } from '../../runs/store.ts'

/** What a store holds at the moment. */
export interface Listing {
  readonly runs: readonly FinishedRun[]
  readonly unreadable: readonly { readonly directory: string; readonly reason: string }[]
}

/** A store, and what was read of it lately. */
export class Runs {
  readonly store: RunStore
  readonly #tables = new Map<string, Promise<unknown>>()

  constructor(directory: string) {
    this.store = new RunStore(directory)
  }

  /** Every run of the store. */
  list(): Promise<Listing> {
    return this.store.list()
  }

  /** The run with this id, in the store itself: never a path. */
  async find(id: string): Promise<FinishedRun> {
    if (!RunId.safeParse(id).success) throw new NotThereError(`${JSON.stringify(id)} is not the id of a run.`)
    return this.store.find(id)
  }

  /** A finished run of the stage. */
  async finished(id: string, stage: string): Promise<FinishedRun> {
    const { manifest } = await this.find(id)
    return this.store.finished(manifest.id, [stage])
  }

  /** What `read` makes of a file of a finished run, kept for as long as the file is the same; of the last few files only. */
  async kept<T>(run: FinishedRun, file: string, read: (path: string) => Promise<T>): Promise<T> {
    const path = join(run.directory, file)
    const { mtimeMs, size } = await stat(path).catch(() => ({ mtimeMs: 0, size: -1 }))
    const key = hashValue({ path, mtimeMs, size, sealed: run.manifest.files[file] ?? '' })
    const known = this.#tables.get(key) as Promise<T> | undefined
    this.#tables.delete(key)
    const found = known ?? read(path)
    this.#tables.set(key, found)
    found.catch(() => this.#tables.delete(key))
    while (this.#tables.size > keptFiles) this.#tables.delete(this.#tables.keys().next().value!)
    return found
  }
}

const keptFiles = 12
