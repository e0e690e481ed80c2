/** Finished parts of long work, kept beside its files until the end, so that a cut run goes on where it stopped. */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writeAtomic } from './files.ts'

/** Where they are in a run's directory. */
export const workingFolder = 'working'

/** The folder of finished parts in a run's directory. */
export class Working {
  private readonly folder: string

  constructor(directory: string, folder = workingFolder) {
    this.folder = join(directory, folder)
  }

  /** The parts of a piece of work, apart from others of the same names. */
  within(name: string): Working {
    return new Working(this.folder, name)
  }

  /** Whether a part was finished before. */
  has(name: string): boolean {
    return existsSync(this.#pathOf(name))
  }

  /** A part that was finished before, or the result of making it now. Both are as JSON gives them back. */
  async part<T>(name: string, make: () => T | Promise<T>): Promise<T> {
    const path = this.#pathOf(name)
    if (!existsSync(path)) await writeAtomic(path, JSON.stringify(await make()))
    return (await readJson(path, 'working file')) as T
  }

  #pathOf(name: string): string {
    return join(this.folder, `${name}.json`)
  }

  /** Removes all parts. */
  async clear(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}
