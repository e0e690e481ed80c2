/** The causal part of labels, in a file beside those of other tools. */
import { join } from 'node:path'
import { codeOf, UserError } from '../../core/errors.ts'
import type { Feature } from '../feature.ts'
import { linesOf, parseLine } from '../lines.ts'
import { CausalRecord, conceptOf, type ImportedLabel, type ImportedLabels } from './format.ts'

/** The name of the file beside other tools' files, and its version. */
export const causalFile = 'causal.jsonl'
const causalSchema = 1

/** The causal part of features as lines. */
export function causalLines(features: readonly Feature[]): string {
  return features
    .map(feature => `${JSON.stringify({ schema: causalSchema, ...CausalRecord.strip().parse(feature) })}\n`)
    .join('')
}

/** The causal records of a folder; none where it has no file of them. */
export async function readCausal(folder: string): Promise<readonly CausalRecord[]> {
  const path = join(folder, causalFile)
  const records = await linesOf(path).catch(error => {
    if (codeOf(error.cause) === 'ENOENT') return undefined
    throw error
  })
  return (records ?? []).map(({ value, line }) => {
    const { schema, ...record } = (value ?? {}) as Record<string, unknown>
    if (schema !== causalSchema)
      throw new UserError(
        `${path}, line ${line}, has schema ${JSON.stringify(schema) ?? 'none'}, but this version reads ${causalSchema}.`,
      )
    return parseLine(CausalRecord, record, path, line)
  })
}

/** Labels that causal records hold. */
export function causalLabels(records: readonly CausalRecord[]): ImportedLabel[] {
  return records.flatMap(record =>
    record.label === null
      ? []
      : [{ latent: record.latent, label: record.label, concept: conceptOf(record), sae: record.hashes.sae }],
  )
}

/**
 * Labels of another tool's files with what the causal records beside them say of their latents: the SAE, and of a label that is the
 * same as theirs its concept, which another label need not be about.
 */
export function withCausal(
  labels: readonly Pick<ImportedLabel, 'latent' | 'label'>[],
  records: readonly CausalRecord[],
): Pick<ImportedLabels, 'labels' | 'saeHashes'> {
  const known = new Map(records.map(record => [record.latent, record]))
  return {
    labels: labels.map(({ latent, label }) => {
      const record = known.get(latent)
      const concept = record?.label === label ? conceptOf(record) : null
      return { latent, label, concept, sae: record?.hashes.sae ?? null }
    }),
    saeHashes: hashesOf(records),
  }
}

/** The SAEs that records are about. */
export const hashesOf = (records: readonly CausalRecord[]): ReadonlySet<string> =>
  new Set(records.map(({ hashes }) => hashes.sae))
