/** Files that come from elsewhere, read with bounds: plain files only, and small objects from JSON. */
import { open, readFile, stat } from 'node:fs/promises'
import { messageOf, UserError } from '../../../core/errors.ts'
import { readError } from '../../../core/files.ts'
import { parsePythonJson } from './python-json.ts'

/** Far above any real one, which has a few thousand bytes. */
const mostBytes = 2 ** 24
const largestRead = 2 ** 30
/** Objects and lists within one another; real ones have four or five. */
const mostDepth = 100

/** An object from a JSON file. A `UserError` where it is no file, no object, too large or too deep. */
export async function readConfigFile(path: string, what: string): Promise<Record<string, unknown>> {
  await mustBeFile(path, what, mostBytes)
  const value = await readPythonJson(path, what)
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new UserError(`The ${what} ${path} must hold an object.`)
  if (isDeeper(value, mostDepth))
    throw new UserError(`The ${what} ${path} has more than ${mostDepth} levels of lists and objects.`)
  return value as Record<string, unknown>
}

async function readPythonJson(path: string, what: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(error => {
    throw readError(path, what, error)
  })
  try {
    return parsePythonJson(text)
  } catch (error) {
    // The message quotes the file, line breaks and all.
    const why = messageOf(error).replace(/[\p{C}\p{Z}]+/gu, ' ')
    throw new UserError(`The ${what} ${path} is not JSON: ${why}.`, { cause: error })
  }
}

/** The bytes of a file, of which there are `most` at most. Node reads no more than 2 GiB at once; weights have more. */
export async function readWholeFile(path: string, what: string, most = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
  const size = await mustBeFile(path, what, most)
  const file = await open(path).catch(error => {
    throw readError(path, what, error)
  })
  try {
    const bytes = new Uint8Array(size)
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, largestRead), at)
      if (bytesRead === 0) throw new UserError(`The ${what} ${path} ended while it was read.`)
      at += bytesRead
    }
    return bytes
  } catch (error) {
    if (error instanceof RangeError) throw new UserError(`The ${what} ${path} has ${size} bytes, too many to read.`)
    throw error
  } finally {
    await file.close()
  }
}

/** Checks that a path leads to a plain file, of so many bytes at most; gives its size. Pipes and devices never end. */
export async function mustBeFile(path: string, what: string, most = Number.POSITIVE_INFINITY): Promise<number> {
  const info = await stat(path).catch(error => {
    throw readError(path, what, error)
  })
  if (info.isDirectory()) throw readError(path, what, Object.assign(new Error(), { code: 'EISDIR' }))
  if (!info.isFile()) throw new UserError(`${path} is a device or a pipe, but a ${what} is a file.`)
  if (info.size > most)
    throw new UserError(`The ${what} ${path} has ${info.size} bytes; more than ${most} are not read.`)
  return info.size
}

/** The value where it is an object, else an empty one. */
export function objectOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

/** Whether a value has more levels than that; looks level by level, so that depth costs no stack. */
function isDeeper(value: unknown, most: number): boolean {
  let level: object[] = [value as object]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= most) return true
    level = level.flatMap(part => Object.values(part)).filter(part => part !== null && typeof part === 'object')
  }
  return false
}
