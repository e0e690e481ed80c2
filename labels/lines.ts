/** Files of JSON lines, packed or not. */
import { readdir, readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import type { z } from 'zod'
import { codeOf, messageOf, UserError } from '../core/errors.ts'
import { readError } from '../core/files.ts'
import { decodeUtf8 } from '../core/utf8.ts'

/** The values of a file of JSON lines, unpacked where it ends in `.gz`, with their line numbers. */
export async function linesOf(path: string): Promise<{ readonly value: unknown; readonly line: number }[]> {
  let bytes: Uint8Array = await readFile(path).catch(error => {
    throw readError(path, 'label file', error)
  })
  try {
    if (path.endsWith('.gz')) bytes = gunzipSync(bytes)
  } catch (error) {
    throw new UserError(`${path} is not packed as its name says (${messageOf(error)}).`, { cause: error })
  }
  return decodeUtf8(bytes, path, 'label file')
    .split('\n')
    .flatMap((content, i) => {
      if (content.trim() === '') return []
      try {
        return [{ value: JSON.parse(content) as unknown, line: i + 1 }]
      } catch (error) {
        const why = messageOf(error).replace(/[\p{C}\p{Z}]+/gu, ' ')
        throw new UserError(`${path}, line ${i + 1}, is not JSON (${why}).`, { cause: error })
      }
    })
}

/** A line as its schema has it; a `UserError` names the file, the line and the key. */
export function parseLine<T>(schema: z.ZodType<T>, value: unknown, path: string, line: number): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  throw new UserError(`${path}, line ${line}, is wrong at ${issue.path.join('.') || 'its top'}: ${issue.message}.`)
}

/** Names of a folder, sorted as numbers are; a `UserError` where it is none. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR')
      throw new UserError(`${folder} is a file, but this form is a folder.`, { fix: 'Name the folder.', cause: error })
    throw readError(folder, 'folder of labels', error)
  }
}
