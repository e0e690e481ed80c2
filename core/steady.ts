/** Files that stay as they are while they are read, so that the bytes that were hashed are the bytes that are used. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from './errors.ts'

/** What tells one state of files from another, by path: place on disk, size, and times to the nanosecond. */
export type Footprint = ReadonlyMap<string, string>

/** The footprint of files, and of all files below folders. What is absent is recorded as such. */
export async function footprintOf(paths: readonly string[]): Promise<Footprint> {
  const found = new Map<string, string>()
  const visit = async (path: string, above: readonly string[] = []): Promise<void> => {
    const info = await stat(path, { bigint: true }).catch(() => undefined)
    const folder = `${info?.dev} ${info?.ino}`
    // A link may lead back into a folder that it lies in.
    if (info?.isDirectory() && above.includes(folder)) return
    if (info?.isDirectory())
      for (const name of (await readdir(path)).sort()) await visit(join(path, name), [...above, folder])
    // The change time moves with every write and rename, and no program can set it.
    else found.set(path, info ? `${info.dev} ${info.ino} ${info.size} ${info.mtimeNs} ${info.ctimeNs}` : 'absent')
  }
  for (const path of paths) await visit(path)
  return found
}

/** Throws a `UserError` that names the first file that is not as it was when `before` was taken of `paths`. */
export async function mustBeSteady(paths: readonly string[], before: Footprint): Promise<void> {
  const after = await footprintOf(paths)
  for (const path of new Set([...before.keys(), ...after.keys()]))
    if (before.get(path) !== after.get(path))
      throw new UserError(`${path} was changed while it was read.`, {
        fix: 'Start the same command again once nothing writes there.',
      })
}

/**
 * Does `read` while files, or all files below folders, stay as they are: hash them in it and use them in it, and no byte is
 * used that was not hashed. A `UserError` where one was changed, replaced, added or removed meanwhile.
 */
export async function steadily<T>(paths: readonly string[], read: () => Promise<T>): Promise<T> {
  const before = await footprintOf(paths)
  const value = await read()
  await mustBeSteady(paths, before)
  return value
}
