/** Where a person asks a file to be written: a new or plain file, what a link points to, or a pipe or terminal. */
import { createWriteStream } from 'node:fs'
import { lstat, open, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { codeOf, UserError } from './errors.ts'
import { readError, writeAtomic, writeError } from './files.ts'
import { manifestName } from './stage.ts'

/** Whether a destination stands for standard output. */
export const isStdout = (to: string): boolean =>
  to === '-' || to === '/dev/stdout' || to === '/dev/fd/1' || to === '/proc/self/fd/1'

/**
 * The path that a flag names, of what is written beside the result. Throws a `UserError` for standard output, which has the
 * result: `-` would be a file of that name.
 */
export function placeOf(flag: string, to: string): string {
  if (!isStdout(to)) return resolve(to)
  throw new UserError(`--${flag} is ${to}, but standard output has what the command says.`, { fix: 'Name a file.' })
}

/**
 * Writes `data` where a person said. A plain file is replaced as a whole; a link stays, and the file that it points to is
 * replaced. Pipes and terminals are written to as streams. A folder, a socket, a disk, a link to nothing and what lies in a
 * run are a `UserError`.
 */
export async function writeTo(to: string, data: Uint8Array | string): Promise<void> {
  const target = await targetOf(to)
  return 'file' in target ? writeAtomic(target.file, data) : stream(to, data, target)
}

/** Throws what `writeTo` would, before there is anything to write. */
export async function checkDestination(to: string): Promise<void> {
  await targetOf(to)
}

/** Throws a `UserError` for a path in the directory of a run: other files than its own would make it another one. */
export async function outsideRuns(path: string): Promise<void> {
  for (let folder = await nearest(dirname(resolve(path))), below = ''; folder !== below; folder = dirname(folder)) {
    below = folder
    if (await isFile(join(folder, manifestName)))
      throw new UserError(`${path} lies in the run ${folder}, and a run is not changed once it is made.`, {
        fix: 'Name a place outside the run.',
      })
  }
}

/** The folder that is there, links followed: this one, or the nearest above it. */
async function nearest(folder: string): Promise<string> {
  try {
    return await realpath(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return nearest(dirname(folder))
    throw readError(folder, 'folder', error)
  }
}

type Target =
  | { readonly file: string }
  | { readonly flags: string }
  | { readonly fd: number; readonly autoClose: false }

/** What `to` stands for: a file to replace, or a stream to write to. */
async function targetOf(to: string): Promise<Target> {
  const descriptor = /^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(to === '/dev/stderr' ? '/dev/fd/2' : to)
  if (descriptor) return { fd: Number(descriptor[1]), autoClose: false }
  const info = await kindOf(to)
  if (info === undefined || info.isFile()) {
    const file = info === undefined ? to : await realpath(to)
    await outsideRuns(file)
    return { file }
  }
  if (info.isDirectory())
    throw new UserError(`${to} is a folder, but what is written is one file.`, {
      fix: `Name a file in it, such as ${join(to, 'labels')}.`,
    })
  if (info.isFIFO() || info.isCharacterDevice()) return { flags: 'w' }
  throw new UserError(`${to} is a ${info.isSocket() ? 'socket' : 'device'}; no file can be written there.`, {
    fix: 'Name a file.',
  })
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile()
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false
    throw readError(path, 'manifest', error)
  }
}

/** What is at a path, links followed; undefined where nothing is. */
async function kindOf(to: string) {
  try {
    return await stat(to)
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR')
      throw new UserError(`${to} lies within something that is no folder.`, { fix: 'Check the path.', cause: error })
    if (codeOf(error) !== 'ENOENT') throw writeError(to, error)
  }
  try {
    await lstat(to)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw writeError(to, error)
  }
  throw new UserError(`${to} is a link to something that is not there.`, {
    fix: `Delete the link, or make what ${basename(to)} points to.`,
  })
}

async function stream(
  to: string,
  data: Uint8Array | string,
  options: { flags: string } | { fd: number; autoClose: false },
) {
  try {
    // Opened here, so that a pipe nobody reads from waits in the open, where Ctrl-C ends it.
    const handle = 'flags' in options ? await open(to, options.flags) : undefined
    const target = handle
      ? handle.createWriteStream()
      : createWriteStream(to, options as { fd: number; autoClose: false })
    await pipeline(Readable.from(pieces(data)), target)
  } catch (error) {
    // A reader that went away has what it wanted.
    if (codeOf(error) !== 'EPIPE') throw writeError(to, error)
  }
}

/** The data in pieces, so that a slow reader is waited for. */
function* pieces(data: Uint8Array | string): Generator<Uint8Array> {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data
  for (let start = 0; start < bytes.length; start += 65_536) yield bytes.subarray(start, start + 65_536)
}
