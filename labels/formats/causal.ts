/** The causal part of labels, in a file beside those of other tools. */
import { join } from 'node:path'
import { codeOf, UserError } from '../../core/errors.ts'
import type { Feature } from '../feature.ts'
import { linesOf, parseLine } from '../lines.ts'
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
