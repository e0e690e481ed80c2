/** A folder that is there with all its files or not at all. */
import { randomUUID } from 'node:crypto'
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { UserError } from './errors.ts'
import { makeFolder, partialEnding, writeError } from './files.ts'

/**
 * Makes a folder of what `fill` writes into the folder that it is given. Throws a `UserError` where a link or anything that is not an
 * empty folder is in its place: files of an earlier time would pass for some of these. `what` is what messages call it: `the SAE`.
 */
export async function makeNewFolder(to: string, what: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const fix = 'Name a directory that does not exist yet.'
  const isLink = await lstat(to).then(
    info => info.isSymbolicLink(),
    () => false,
  )
  if (isLink) throw new UserError(`${to} is a link, but ${what} becomes a new directory.`, { fix })
  const before = await readdir(to).catch(error => (error.code === 'ENOTDIR' ? [to] : []))
  if (before.length > 0) throw new UserError(`${to} is not empty.`, { fix })
  const partial = `${to}.${randomUUID()}${partialEnding}`
  try {
    await makeFolder(dirname(to))
    await mkdir(partial)
    await fill(partial)
    await rename(partial, to)
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw writeError(to, error)
  }
}
