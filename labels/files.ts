/** The files of a label run: features.jsonl, and reading it; the tables are made in `tables.ts`. */
import { join } from 'node:path'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { z } from 'zod'
import { messageOf, UserError } from '../core/errors.ts'
import { readText, writeAtomic } from '../core/files.ts'
import { Feature, labelsSchema } from './feature.ts'

/** Characters of lines that are packed together. */
const packedAtOnce = 4_000_000

/**
 * Records as JSON lines, taken one by one. Readers that guess types from the first lines guess right: lines that show what a
 * field may hold come before all others, and the others are by latent.
 */
export class FeatureLines {
  readonly #seen = new Set<string>()
  readonly #telling: Uint8Array[] = []
  /** Lines that wait, and those that waited before, packed: there may be hundreds of megabytes of them. */
  #waiting: string[] = []
  #characters = 0
  readonly #packed: Uint8Array[] = []

  add(feature: Feature): void {
    const known = this.#seen.size
    addTypes(this.#seen, feature, '')
    const line = `${JSON.stringify({ schema: labelsSchema, ...feature })}\n`
    if (this.#seen.size > known) this.#telling.push(Buffer.from(line))
    else {
      this.#waiting.push(line)
      this.#characters += line.length
      if (this.#characters > packedAtOnce) this.#pack()
    }
  }

  #pack(): void {
    this.#packed.push(deflateRawSync(this.#waiting.join(''), { level: 1 }))
    this.#waiting = []
    this.#characters = 0
  }

  /** All lines, those that tell types first. */
  *bytes(): Generator<Uint8Array> {
    yield* this.#telling
    for (const part of this.#packed) yield inflateRawSync(part)
    yield Buffer.from(this.#waiting.join(''))
  }
}

/** The records as JSON lines, those that show what a field may hold first. */
export function jsonLines(features: Iterable<Feature>): string {
  const lines = new FeatureLines()
  for (const feature of features) lines.add(feature)
  return Buffer.concat([...lines.bytes()]).toString()
}

/** Adds the types that a value shows, by path: `.evidence.p fraction`; a missing value shows none. */
function addTypes(seen: Set<string>, value: unknown, path: string): void {
  if (value === null) return
  if (Array.isArray(value)) for (const item of value) addTypes(seen, item, `${path}[]`)
  else if (typeof value === 'object')
    for (const key in value) addTypes(seen, (value as Record<string, unknown>)[key], `${path}.${key}`)
  else seen.add(`${path} ${typeof value === 'number' && !Number.isInteger(value) ? 'fraction' : typeof value}`)
}

/** Writes features.jsonl: one JSON object a line, the record of `Feature` with its schema. */
export async function writeJsonLines(path: string, features: Iterable<Feature>): Promise<void> {
  await writeAtomic(path, jsonLines(features))
}

/** Broken lines that a message names one by one. */
const mostNamed = 3

/**
 * Reads features.jsonl of a label run, by latent. A missing file is a `UserError`, and so is one with lines that are no
 * records of this version, of which it names the first few.
 */
export async function readFeatures(directory: string): Promise<Feature[]> {
  return readFeatureFile(join(directory, 'features.jsonl'))
}

/** The same of a file of any name. */
export async function readFeatureFile(path: string): Promise<Feature[]> {
  const text = await readText(path, 'label file')
  const features: Feature[] = []
  const problems: string[] = []
  const lineOf = new Map<number, number>()
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return
    const found = readLine(line)
    if (typeof found === 'string') problems.push(`line ${index + 1} ${found}`)
    else if (lineOf.has(found.latent))
      problems.push(`line ${index + 1} is about latent ${found.latent} again, after line ${lineOf.get(found.latent)}`)
    else {
      lineOf.set(found.latent, index + 1)
      features.push(found)
    }
  })
  if (problems.length > 0)
    throw new UserError(
      `${path}: ${problems.slice(0, mostNamed).join('; ')}${problems.length > mostNamed ? `; and so on, ${problems.length} lines in all` : ''}.`,
      { fix: 'Label the SAE again, or read the file with the version that wrote it.' },
    )
  return features.sort((a, b) => a.latent - b.latent)
}

/** The record that a line holds, or what is wrong with it. */
function readLine(line: string): Feature | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    return `is not JSON (${messageOf(error).replace(/[\p{C}\p{Z}]+/gu, ' ')})`
  }
  const Head = z.looseObject({ schema: z.unknown() })
  const head = Head.safeParse(value)
  if (!head.success) return 'is no record'
  const { schema, ...record } = head.data
  if (schema !== labelsSchema)
    return `has schema ${JSON.stringify(schema) ?? 'none'}, but this version reads ${labelsSchema}`
  const result = Feature.safeParse(record)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  return `is wrong at ${issue.path.join('.') || 'its top'}: ${issue.message.replace(/[\p{C}\p{Z}]+/gu, ' ')}`
}
