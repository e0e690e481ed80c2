/** Finished parts of long work, kept beside its files until the end, so that a cut run goes on where it stopped. */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writeAtomic } from './files.ts'

/** Where they are in a run's directory. */
export const workingFolder = 'working'

/** The write of a part that is under way, of a folder and those within it: work goes on meanwhile. */
interface Writing {
  path?: string
  last: Promise<void>
}

/**
 * The folder of finished parts in a run's directory. A part is given back while it is still being written, so that whoever made one
 * awaits `settled` before leaving the folder to others.
 */
export class Working {
  private readonly folder: string
  readonly #writing: Writing

  constructor(directory: string, folder = workingFolder, writing: Writing = { last: Promise.resolve() }) {
    this.folder = join(directory, folder)
    this.#writing = writing
  }

  /** The parts of a piece of work, apart from others of the same names. */
  within(name: string): Working {
    return new Working(this.folder, name, this.#writing)
  }

  /** Whether a part was finished before. */
  has(name: string): boolean {
    return existsSync(this.#pathOf(name))
  }

  /** A part that was finished before, or the result of making it now. Both are as JSON gives them back. */
  async part<T>(name: string, make: () => T | Promise<T>): Promise<T> {
    const path = this.#pathOf(name)
    if (this.#writing.path === path) await this.#writing.last
    if (existsSync(path)) return (await readJson(path, 'working file')) as T
    const text = JSON.stringify(await make())
    // One at a time, so that what is waiting does not pile up; a fault is told by whoever awaits it next.
    await this.#writing.last
    this.#writing.path = path
    this.#writing.last = writeAtomic(path, text)
    this.#writing.last.catch(() => {})
    return JSON.parse(text) as T
  }

  /** Ends once every part that was made is on disk; rejects where one could not be written. */
  settled(): Promise<void> {
    return this.#writing.last
  }

  #pathOf(name: string): string {
    return join(this.folder, `${name}.json`)
  }

  /** Removes all parts. */
  async clear(): Promise<void> {
    await this.settled()
    await rm(this.folder, { recursive: true, force: true })
  }
}
