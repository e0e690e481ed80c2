/**
 * Flags and config keys are the same thing: one zod schema gives both, and their types, defaults and help.
 *
 * A flag is the key's dotted path, written exactly as in the file: `--dataset.path`, `--learningRate`. Flags win over
 * the file. A string given for a section that has a `path` is that path: `--dataset toyworld`.
 */

import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { buffer as readStream } from 'node:stream/consumers'
import { z } from 'zod'
import { unwrap } from '../core/config.ts'
import { UserError } from '../core/errors.ts'
import { readError, readText } from '../core/files.ts'
import { shortPath } from '../core/text.ts'
import { decodeUtf8 } from '../core/utf8.ts'
import { readYaml, yamlOfFile } from '../core/yaml.ts'
import { packageRoot } from './stages/version.ts'

/** One key of a schema. */
export interface Flag {
  /** Dotted path. */
  readonly key: string
  readonly schema: z.ZodType
  /** What a value looks like, in words: `integer`, `a|b`, `list`. */
  readonly type: string
  readonly description: string
  readonly required: boolean
  /** Shown default; undefined when there is none. */
  readonly preset: unknown
}

/** The flags of a schema, in its order; a nested section gives a flag a key. */
export function flagsOf(schema: z.ZodType, prefix = '', optional = false): Flag[] {
  const inner = unwrap(schema)
  if (!(inner instanceof z.ZodObject)) return []
  return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([name, part]) => {
    const key = prefix + name
    // What a section asks for is needed only where the section is.
    const sub = flagsOf(part, `${key}.`, optional || part.safeParse(undefined).success)
    return sub.length ? sub : [flagOf(key, part, optional)]
  })
}

/** Keys that name a whole section, each of which is also a flag: `--dataset toyworld`, `--train '{k: 16}'`. */
export function sectionsOf(schema: z.ZodType, prefix = ''): Flag[] {
  const inner = unwrap(schema)
  if (!(inner instanceof z.ZodObject)) return []
  return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([name, part]) => {
    if (!(unwrap(part) instanceof z.ZodObject)) return []
    const key = prefix + name
    return [flagOf(key, part), ...sectionsOf(part, `${key}.`)]
  })
}

function flagOf(key: string, schema: z.ZodType, optional = false): Flag {
  return {
    key,
    schema,
    type: typeName(schema),
    description: describe(schema),
    required: !optional && !schema.safeParse(undefined).success,
    preset: presetOf(schema),
  }
}

function describe(schema: z.ZodType): string {
  let part: z.ZodType | undefined = schema
  while (part) {
    if (part.description) return part.description
    part = 'unwrap' in part && typeof part.unwrap === 'function' && part !== unwrap(part) ? part.unwrap() : undefined
  }
  return ''
}

function presetOf(schema: z.ZodType): unknown {
  const result = schema.safeParse(undefined)
  return result.success ? result.data : undefined
}

function typeName(schema: z.ZodType): string {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodEnum) return inner.options.join('|')
  if (inner instanceof z.ZodLiteral) return [...inner.values].join('|')
  if (inner instanceof z.ZodUnion) {
    const names = (inner.options as z.ZodType[]).map(option => typeName(option))
    return [...new Set(names)].join('|')
  }
  if (inner instanceof z.ZodArray) return 'list'
  if (inner instanceof z.ZodBoolean) return 'true|false'
  if (inner instanceof z.ZodNumber) return inner.isInt ? 'integer' : 'number'
  if (inner instanceof z.ZodString) return 'text'
  return 'value'
}

/**
 * The value that a flag's texts stand for: the first reading that the schema takes, or the plainest one, so that the
 * schema's own complaint quotes it. Repeating a flag, or commas, make a list.
 */
export function readFlag({ schema }: Flag, texts: readonly string[]): unknown {
  const text = texts.at(-1)!
  const readings: unknown[] = []
  const inner = unwrap(schema)
  if (inner instanceof z.ZodArray || (texts.length > 1 && acceptsList(inner))) {
    if (text.trim().startsWith('[')) readings.push(readScalar(text))
    const parts = texts.flatMap(part => part.split(',').map(item => item.trim()))
    readings.push(parts, parts.map(readScalar))
  } else if (inner instanceof z.ZodString) {
    readings.push(text)
  } else {
    readings.push(readScalar(text), text)
    const parts = text.split(',').map(item => item.trim())
    if (parts.length > 1 || acceptsList(inner)) readings.push(parts, parts.map(readScalar))
    if (pathOf(inner)) readings.push({ path: text })
  }
  // What has commas was meant as a list, if there are any here.
  const plainest = acceptsList(inner) && text.includes(',') ? readings.findLast(Array.isArray) : readings[0]
  return readings.find(value => schema.safeParse(value).success) ?? plainest
}

function acceptsList(schema: z.ZodType): boolean {
  return schema instanceof z.ZodUnion && (schema.options as z.ZodType[]).some(option => option instanceof z.ZodArray)
}

function readScalar(text: string): unknown {
  try {
    return text.trim() === '' ? text : readYaml(text)
  } catch {
    return text
  }
}

function pathOf(schema: z.ZodType): boolean {
  return schema instanceof z.ZodObject && 'path' in schema.shape
}

/** Reads a YAML or JSON file of settings; `-` is standard input. An empty file has no settings. */
export async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  const text = await readTextFile(path, 'config file').catch(error => {
    throw exampleMeant(path) ?? error
  })
  const value = yamlOfFile(text, path, 'config file')
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value))
    throw new UserError(`The config file ${path} must hold keys and values, but it holds ${JSON.stringify(value)}.`)
  return value as Record<string, unknown>
}

/** What to say where a file that is not there is the name of an example, which lies where this program is installed. */
function exampleMeant(path: string): UserError | undefined {
  const example = join(packageRoot(), 'examples', basename(path))
  if (existsSync(path) || !existsSync(example)) return undefined
  return new UserError(`There is no config file at ${path}.`, {
    fix: `The example of that name is ${shortPath(example)}.`,
  })
}

/** The file's settings with the flags' over them, and paths given for sections put in place. */
export function mergeConfig(
  schema: z.ZodType,
  file: Readonly<Record<string, unknown>>,
  flags: ReadonlyMap<string, unknown>,
): Record<string, unknown> {
  const merged = withSections(schema, structuredClone(file)) as Record<string, unknown>
  // A section comes before its keys, so that `--dataset toyworld --dataset.documents 10` means both.
  for (const [key, value] of [...flags].sort(([a], [b]) => a.split('.').length - b.split('.').length))
    setPath(merged, key.split('.'), withSections(schemaAt(schema, key), value))
  return merged
}

function schemaAt(schema: z.ZodType, key: string): z.ZodType {
  let part = schema
  for (const name of key.split('.')) {
    const inner = unwrap(part)
    if (!(inner instanceof z.ZodObject) || !(name in inner.shape)) return z.unknown()
    part = inner.shape[name] as z.ZodType
  }
  return part
}

/** Puts `{ path }` where a section with a path was given as a string, and `{}` where a section was left empty. */
function withSections(schema: z.ZodType, value: unknown): unknown {
  const inner = unwrap(schema)
  if (!(inner instanceof z.ZodObject)) return value
  if (typeof value === 'string' && pathOf(inner)) return { path: value }
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) return value
  const shape = inner.shape as Record<string, z.ZodType>
  return Object.fromEntries(
    Object.entries(value as object).map(([name, part]) => [name, shape[name] ? withSections(shape[name], part) : part]),
  )
}

function setPath(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path
  if (rest.length === 0) {
    into[name!] = value
    return
  }
  const next = into[name!]
  const section: Record<string, unknown> =
    next !== null && typeof next === 'object' && !Array.isArray(next) ? { ...(next as object) } : {}
  into[name!] = section
  setPath(section, rest, value)
}

/** A file's text; `-` is standard input. */
async function readTextFile(path: string, what: string): Promise<string> {
  if (path !== '-') return readText(path, what)
  const bytes = await readStream(process.stdin).catch(error => {
    throw readError(path, what, error)
  })
  return decodeUtf8(bytes, path, what)
}
