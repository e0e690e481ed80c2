/** Finished parts of a validation, kept beside its files until the end, so that a cut run goes on where it stopped. */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readJson, writeAtomic } from '../core/files.ts'

/** The folder of finished parts in a run's directory. */
export class Working {
  private readonly folder: string

  constructor(directory: string, folder = 'working') {
    this.folder = join(directory, folder)
  }

  /** The parts of a piece of work, apart from others of the same names. */
  within(name: string): Working {
    return new Working(this.folder, name)
  }

  /** A part that was finished before, or the result of making it now. Both are as JSON gives them back. */
  async part<T>(name: string, make: () => T | Promise<T>): Promise<T> {
    const path = join(this.folder, `${name}.json`)
    if (!existsSync(path)) await writeAtomic(path, JSON.stringify(await make()))
    return (await readJson(path, 'working file')) as T
  }

  /** Removes all parts. */
  async clear(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }
}
