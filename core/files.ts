/** Files that are whole or absent: writes go to a temporary name, are flushed to disk, then renamed. */
import { randomUUID } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf, FaultError, messageOf, UserError } from './errors.ts'
import { decodeUtf8 } from './utf8.ts'

/** The error for a failed write of `path`: disk faults may pass (75), the rest are the user's to mend (1). */
export function writeError(path: string, error: unknown): Error {
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new FaultError(`The disk is full: ${path} could not be written.`, {
      fix: 'Free some space and start the same command again; it goes on where it stopped.',
      cause: error,
    })
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new UserError(`${path} may not be written (${code}).`, {
      fix: 'Choose another place or change its permissions.',
      cause: error,
    })
  if (code === 'EISDIR')
    return new UserError(`${path} is a folder, but a file is to be written there.`, {
      fix: 'Move the folder away.',
      cause: error,
    })
  if (code === 'EFBIG')
    return new FaultError(`${path} became larger than a file may be here (EFBIG).`, {
      fix: 'Raise the limit (`ulimit -f`), or choose a disk that holds larger files, and start the same command again.',
      cause: error,
    })
  if (code === 'EIO') return new FaultError(`The disk failed while ${path} was written (EIO).`, { cause: error })
  return error instanceof Error ? error : new Error(messageOf(error))
}

/**
 * Makes a folder and those above it; one that is there is left. Throws the user's error where it may not be made. (Node's
 * own way of doing this never ends where a file system, such as /proc, denies that the folder could be.)
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const code = codeOf(error)
    // The root of a file system that may only be read says that before it says that it is there.
    if (code === 'EEXIST' || (await isFolder(path))) return
    if (code !== 'ENOENT') throw folderError(path, error)
    // The parent that was missing may have been made by another meanwhile; a place like /proc refuses the second time, too.
    if (!(await isFolder(dirname(path)))) await makeFolder(dirname(path))
    await mkdir(path).catch(async again => {
      if (!(await isFolder(path))) throw folderError(path, again)
    })
  }
}

function folderError(path: string, error: unknown): Error {
  const told = writeError(path, error)
  return told instanceof UserError
    ? told
    : new UserError(`The folder ${path} could not be made (${codeOf(error) ?? messageOf(error)}).`, {
        fix: 'Choose another place.',
        cause: error,
      })
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    info => info.isDirectory(),
    () => false,
  )
}

/** How the name of a file ends that is not whole yet. */
export const partialEnding = '.partial'

/** Removes what writes that were cut left in a folder and those below it; only for who alone writes there. */
export async function removePartials(folder: string): Promise<void> {
  const names = await readdir(folder, { recursive: true }).catch(error => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  for (const name of names)
    if (name.endsWith(partialEnding)) await rm(join(folder, name), { recursive: true, force: true })
}

/**
 * Writes a file so that `path` holds either its old content or all of the new. Makes missing folders. The temporary file
 * is made new under a name that nobody can know beforehand: a link or file laid in its way is neither followed nor
 * written.
 */
export async function writeAtomic(
  path: string,
  data: Uint8Array | string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}${partialEnding}`
  try {
    await makeFolder(dirname(path))
    const file = await open(temporary, 'wx')
    try {
      if (typeof data === 'string' || data instanceof Uint8Array) await file.writeFile(data)
      else for await (const chunk of data) await file.writeFile(chunk)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    // Where even that fails, the first fault is what there is to say.
    await rm(temporary, { force: true }).catch(() => {})
    throw writeError(path, error)
  }
}

/**
 * What a model or text at this path is called where its place must not matter: the last part of the path, or the one
 * before where that only says `model`.
 */
export function nameOfPath(path: string): string {
  const name = basename(path)
  return name === 'model' ? basename(dirname(path)) || name : name
}

/** Writes a plain value as indented JSON, atomically. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(value, null, 2)}\n`)
}

/** Reads and parses a JSON file; a missing or broken one is a `UserError` that names it as `what`. */
export async function readJson(path: string, what = 'file'): Promise<unknown> {
  const text = await readText(path, what)
  try {
    return JSON.parse(text)
  } catch (error) {
    refuseLfsPointer(path, text)
    // The message quotes the file, line breaks and all.
    const why = messageOf(error).replace(/[\p{C}\p{Z}]+/gu, ' ')
    throw new UserError(`The ${what} ${path} is not JSON: ${why}.`, { cause: error })
  }
}

/** The text of a file, without a byte order mark; a missing one, and one that is not UTF-8, is a `UserError` that names it as `what`. */
export async function readText(path: string, what: string): Promise<string> {
  const bytes = await readFile(path).catch(error => {
    throw readError(path, what, error)
  })
  return decodeUtf8(bytes, path, what)
}

/** The error for a failed read of `path`. */
export function readError(path: string, what: string, error: unknown): Error {
  const code = codeOf(error)
  const target = code === 'ENOENT' ? linkTarget(path) : undefined
  if (target !== undefined)
    return new UserError(`The ${what} ${path} is a link to ${target}, and nothing is there.`, {
      fix: 'Fetch the file again; a cache may have been emptied.',
      cause: error,
    })
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new UserError(`There is no ${what} at ${path}.`, { fix: 'Check the path.', cause: error })
  if (code === 'EISDIR')
    return new UserError(`${path} is a folder, but a ${what} is a file.`, { fix: 'Name the file.', cause: error })
  if (code === 'EACCES' || code === 'EPERM')
    return new UserError(`The ${what} ${path} may not be read (${code}).`, {
      fix: 'Change its permissions.',
      cause: error,
    })
  return error instanceof Error ? error : new Error(messageOf(error))
}

/** Where a link leads; undefined for what is no link. */
export function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

/** The files that git holds in the place of large ones are shorter. */
export const longestLfsPointer = 1024

/** Throws a `UserError` where a file begins as those do that git holds in the place of large ones. */
export function refuseLfsPointer(path: string, start: Uint8Array | string): void {
  const text = typeof start === 'string' ? start : Buffer.from(start).toString('latin1')
  if (!text.startsWith('version https://git-lfs.github.com/spec/')) return
  const size = /^size (\d+)$/m.exec(text)?.[1]
  throw new UserError(
    `${path} is a Git LFS pointer, not the file${size === undefined ? '' : ` of ${size} bytes`} it stands for.`,
    { fix: 'Run `git lfs pull` in its repository, or fetch the file itself.' },
  )
}

/** Flushes a folder's entries, so that a rename in it survives a power cut. Systems without it are left as they are. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(join(folder), 'r')
  try {
    await handle.sync()
  } catch (error) {
    if (!['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error
  } finally {
    await handle.close()
  }
}
