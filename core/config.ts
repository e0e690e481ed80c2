/** Config schemas: one zod schema a stage gives type, defaults, validation and help; unknown keys name the nearest one. */
import { z } from 'zod'
import { UserError } from './errors.ts'
import { editDistance, nearest } from './nearest.ts'

/** Every key path of an object schema, nested keys joined by dots. */
export function keysOf(schema: z.ZodType, prefix = ''): string[] {
  const inner = unwrap(schema)
  if (!(inner instanceof z.ZodObject)) return []
  return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([key, part]) => [
    prefix + key,
    ...keysOf(part, `${prefix}${key}.`),
  ])
}

/** The schema inside defaults, optionals and nullables. */
export function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodNullable ||
    inner instanceof z.ZodPrefault
  )
    inner = inner.unwrap() as z.ZodType
  return inner
}

/** Parses a config; every problem becomes part of one `UserError` that names key, value, rule and repair. */
export function parseConfig<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const lines: string[] = []
  let fix: string | undefined
  for (const issue of result.error.issues) {
    const path = issue.path.join('.')
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const full = path ? `${path}.${key}` : key
        const [best] = nearest(full, keysOf(schema), 1)
        lines.push(`${what} has no key ${full}`)
        if (best) fix ??= `Did you mean ${best}?`
      }
    } else {
      const given = valueAt(value, issue.path)
      if (given === undefined && path) lines.push(`${what} needs the key ${path}`)
      else lines.push(`${path ? `${what} key ${path}` : what} is ${shown(given)}: ${ruleOf(issue)}`)
      if (issue.code === 'invalid_value' && typeof given === 'string')
        fix ??= fixOfChoice(given, issue.values, `${path}File`, keysOf(schema))
    }
  }
  throw new UserError(`${lines.join('; ')}.`, fix === undefined ? {} : { fix })
}

/** A value as a message names it: JSON, which knows no number that is not finite. */
const shown = (value: unknown): string =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : JSON.stringify(value)

/** Edits by which a value may miss the one that was meant. */
const mostEdits = 3

/** The choice that was meant; or the key that takes a file, where there is one and a path was given. */
function fixOfChoice(given: string, values: readonly unknown[], fileKey: string, keys: readonly string[]) {
  if (/[./\\]/.test(given) && keys.includes(fileKey)) return `A file is named by ${fileKey}.`
  const [best] = nearest(given, values.map(String), 1)
  return best !== undefined && editDistance(given.toLowerCase(), best.toLowerCase()) <= mostEdits
    ? `Did you mean ${best}?`
    : undefined
}

/** What a value must be; of several forms, what each of them asks for, or what is wrong within the one that it has. */
function ruleOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value' && issue.values.length > 1)
    return `expected ${issue.values.slice(0, -1).map(shown).join(', ')} or ${shown(issue.values.at(-1))}`
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue.message
  const within = issue.errors.find(([first]) => first && (first.path.length > 0 || first.code === 'custom'))?.[0]
  if (within) return `${within.path.length > 0 ? `of its entry ${within.path.join('.')}, ` : ''}${ruleOf(within)}`
  const rules = issue.errors.flatMap(([first]) => (first && first.path.length === 0 ? ruleOf(first) : []))
  const [first, ...others] = new Set(rules)
  return first === undefined
    ? issue.message
    : [first, ...others.map(rule => rule.replace(/^Invalid \w+: /, ''))].join(', or ')
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let part = value
  for (const key of path) {
    if (part === null || typeof part !== 'object') return undefined
    part = (part as Record<PropertyKey, unknown>)[key]
  }
  return part
}
