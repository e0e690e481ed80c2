/**
 * A place that machines without a common folder share their finished runs through: what one of them closes it leaves there, and
 * what another one misses it takes from there, by id or by key.
 */
import { join } from 'node:path'
import type { ObjectStore } from '../objects/object-store.ts'
import { readRunManifest } from './folder.ts'
import { fetchRun, publishedManifest, publishedWith, publishRun } from './publish.ts'
import type { FinishedRun } from './run.ts'

/** The runs of a folder, in step with a place. */
export class SharedRuns {
  readonly #open: () => Promise<ObjectStore>
  readonly #directory: string
  #store: Promise<ObjectStore> | undefined

  /** `open` is called when the place is first needed; `directory` is the folder of this machine's runs. */
  constructor(open: () => Promise<ObjectStore>, directory: string) {
    this.#open = open
    this.#directory = directory
  }

  get #place(): Promise<ObjectStore> {
    this.#store ??= this.#open()
    return this.#store
  }

  /** The run of this id, put among the runs here; undefined where the place has none. */
  async take(id: string): Promise<FinishedRun | undefined> {
    const place = await this.#place
    if (!(await publishedManifest(place, id))) return undefined
    return (await fetchRun(place, id, this.#directory)).run
  }

  /** The run of this key, put among the runs here; undefined where the place has none. */
  async takeWith(key: string): Promise<FinishedRun | undefined> {
    const id = await publishedWith(await this.#place, key)
    return id === undefined ? undefined : this.take(id)
  }

  /** Leaves a finished run there, after those of this folder that it was made from. What is there already is not sent again. */
  async leave(run: FinishedRun): Promise<void> {
    await this.#leave(run, new Set())
  }

  async #leave(run: FinishedRun, seen: Set<string>): Promise<void> {
    if (seen.has(run.manifest.id)) return
    seen.add(run.manifest.id)
    for (const { run: id } of run.manifest.inputs) {
      if (id === undefined) continue
      const directory = join(this.#directory, id)
      const manifest = await readRunManifest(directory)
      if (manifest?.status === 'finished') await this.#leave({ directory, manifest }, seen)
    }
    await publishRun(await this.#place, run)
  }
}
