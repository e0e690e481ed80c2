/** Reading Hugging Face configs: the fields families share, in the older and the newer (transformers 5) form. */
import { z } from 'zod'
import { parseConfig, unwrap } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import type { Activation } from '../layers/activation.ts'
import { type Harmless, harmless, inert } from './known-keys.ts'

/** One token id, the first of several, or none. */
export const Token = z
  .union([z.int(), z.array(z.int()).min(1)])
  .nullish()
  .transform(value => (Array.isArray(value) ? value[0]! : (value ?? null)))

/** What any config may hold. */
export const Common = z.object({
  vocab_size: z.int().min(1),
  bos_token_id: Token,
  eos_token_id: Token,
})

/** Activation names of configs, and what each is here. */
const activationNames: Record<string, Activation> = {
  gelu: 'gelu',
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu_fast: 'gelu_new',
  silu: 'silu',
  swish: 'silu',
  relu: 'relu',
}

/** A config's activation as one of ours. */
export const ActivationName = z
  .string()
  .refine(name => Object.hasOwn(activationNames, name), {
    error: `must be one of ${Object.keys(activationNames).join(', ')}`,
  })
  .transform(name => activationNames[name]!)

type Keys = Readonly<Record<string, unknown>>

/**
 * A config read by a family's schema. A key that the schema does not have, that no family reads, and whose value is not
 * among the harmless ones of every family or this one (`own`) is a `UserError` that names it, in nested objects too. Null
 * says nothing. `otherNames` are names that a family's files may have instead of those of the schema.
 */
export function readConfig<S extends z.ZodObject>(
  schema: S,
  config: unknown,
  family: string,
  own: Harmless = {},
  { where = 'config.json', otherNames = {} }: { where?: string | undefined; otherNames?: Record<string, string> } = {},
): z.output<S> {
  const named = renamed(config as Keys, otherNames)
  const read = parseConfig(schema, named, where)
  const keys = unread(schema, named, { ...harmless, ...own })
  if (keys.length > 0)
    throw new UserError(
      `${where} has ${keys.join(' and ')}, not handled for the family ${family}, and that may change what the model computes.`,
      { fix: 'If it changes nothing, leave it out of a copy named config.NAME.json, and name that file as the model.' },
    )
  readings.set(config as object, readingBy(schema, named, read))
  return read
}

/** A config whose keys of other names have those of the schema, where nothing stands under these. */
function renamed(config: Keys, otherNames: Readonly<Record<string, string>>): Keys {
  const named: Record<string, unknown> = { ...config }
  for (const [other, name] of Object.entries(otherNames))
    if ((named[name] ?? null) === null && (named[other] ?? null) !== null) {
      named[name] = named[other]
      delete named[other]
    }
  return named
}

/** What was made of the keys of a config. */
export interface ConfigReading {
  /** Keys that were read, with what they say. */
  readonly read: Keys
  /** Keys that it does not have and whose default was taken. */
  readonly defaulted: Keys
  /** Keys that change nothing of what is computed on given tokens. */
  readonly ignored: readonly string[]
}

const readings = new WeakMap<object, ConfigReading>()

/** What the family made of a config that `architectureOf` has read; undefined for any other. */
export function readingOf(config: object): ConfigReading | undefined {
  return readings.get(config)
}

function readingBy(schema: z.ZodObject, config: Keys, parsed: Keys): ConfigReading {
  const isSaid = (key: string) => config[key] !== undefined && config[key] !== null
  const known = Object.keys(schema.shape)
  const some = (keys: readonly string[], of: Keys) => Object.fromEntries(keys.map(key => [key, of[key]]))
  return {
    read: some(known.filter(isSaid), config),
    defaulted: some(
      known.filter(key => !isSaid(key) && parsed[key] !== undefined && parsed[key] !== null),
      parsed,
    ),
    ignored: Object.keys(config).filter(key => isSaid(key) && !known.includes(key)),
  }
}

/** The keys with their values that nothing accounts for. */
function unread(schema: z.ZodObject, config: Keys, known: Harmless, at = ''): string[] {
  return Object.entries(config).flatMap(([key, value]) => {
    if (value === undefined || value === null) return []
    if (Object.hasOwn(schema.shape, key)) {
      const inner = unwrap(schema.shape[key] as z.ZodType)
      return inner instanceof z.ZodObject ? unread(inner, value as Keys, {}, `${at}${key}.`) : []
    }
    const accounted = at === '' && (inert.has(key) || (Object.hasOwn(known, key) && known[key]!(value, config)))
    return accounted ? [] : [`the key ${at}${key} (${shortened(JSON.stringify(value))})`]
  })
}

const longestShown = 60

function shortened(text: string): string {
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text
}
