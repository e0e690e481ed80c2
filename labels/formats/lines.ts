/** Files of JSON lines, packed or not, and the causal records that stand beside other tools' files. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { z } from 'zod'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import { readError } from '../../core/files.ts'
import type { Feature } from '../feature.ts'
import { CausalRecord, conceptOf, type ImportedLabels } from './format.ts'

/** The name of the file beside other tools' files, and its version. */
export const causalFile = 'causal.jsonl'
const causalSchema = 1

/** The causal part of features as lines. */
export function causalLines(features: readonly Feature[]): string {
  return features
    .map(feature => `${JSON.stringify({ schema: causalSchema, ...CausalRecord.strip().parse(feature) })}\n`)
    .join('')
}

/** The causal records of a folder; undefined where it has none. */
export async function readCausal(folder: string): Promise<ImportedLabels | undefined> {
  const path = join(folder, causalFile)
  const records = await linesOf(path).catch(error => {
    if (codeOf(error.cause) === 'ENOENT') return undefined
    throw error
  })
  if (!records) return undefined
  const parsed = records.map(({ value, line }) => {
    const { schema, ...record } = (value ?? {}) as Record<string, unknown>
    if (schema !== causalSchema)
      throw new UserError(
        `${path}, line ${line}, has schema ${JSON.stringify(schema) ?? 'none'}, but this version reads ${causalSchema}.`,
      )
    return parseLine(CausalRecord, record, path, line)
  })
  return {
    labels: parsed.flatMap(record =>
      record.label === null ? [] : [{ latent: record.latent, label: record.label, concept: conceptOf(record) }],
    ),
    saeHashes: new Set(parsed.map(({ hashes }) => hashes.sae)),
    vectors: new Map(),
  }
}

/** The values of a file of JSON lines, unpacked where it ends in `.gz`, with their line numbers. */
export async function linesOf(path: string): Promise<{ readonly value: unknown; readonly line: number }[]> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    throw readError(path, 'label file', error)
  }
  let text: string
  try {
    text = (path.endsWith('.gz') ? gunzipSync(bytes) : Buffer.from(bytes)).toString('utf8')
  } catch (error) {
    throw new UserError(`${path} is not packed as its name says (${messageOf(error)}).`, { cause: error })
  }
  return text.split('\n').flatMap((content, i) => {
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
