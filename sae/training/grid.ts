/**
 * Many SAEs from one config: a list (`saes`), a grid, or both. Each member is the config that it has when trained alone;
 * `trainSaes` gives those that read the same rows in the same order one pass over them.
 */
import { z } from 'zod'
import { unwrap } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { canonicalJson } from '../../core/hash.ts'
import { resolveTraining, TrainConfig } from './config.ts'

/** Keys that are the same for all: what is learned from, and what the SAEs are measured with. */
const common = ['capture', 'fidelity']

const own = Object.entries(TrainConfig.shape as Record<string, z.ZodType>).filter(([key]) => !common.includes(key))

const Grid = z.strictObject(
  Object.fromEntries(
    own.map(([key, schema]) => [key, z.array(unwrap(schema)).min(1).optional().describe(`Values of ${key}`)]),
  ),
)

const Member = z.strictObject({
  name: z.string().optional().describe('Id of its run'),
  ...Object.fromEntries(own.map(([key, schema]) => [key, unwrap(schema).optional()])),
  grid: Grid.optional(),
})

/** Config of the `train` stage: one SAE, or several that have all other keys in common. */
export const TrainManyConfig = z.strictObject({
  ...TrainConfig.shape,
  grid: Grid.optional().describe('An SAE for every combination of these values: key and list'),
  saes: z
    .array(Member)
    .min(1)
    .optional()
    .describe('An SAE for each entry, with the keys it sets; an entry may have a grid of its own'),
})
export type TrainManyConfig = z.output<typeof TrainManyConfig>

/** One of several SAEs. */
export interface TrainMember {
  /** What sets it apart from the others: `architecture topk, k 8`. */
  readonly label: string
  /** The same as part of a run's id: `topk-k8`. */
  readonly slug: string
  /** The id that its entry gives. */
  readonly name: string | undefined
  readonly config: TrainConfig
}

/**
 * The SAEs that a config with a grid, a list or both asks for. Where they differ in their seeds and say nothing
 * of the order of rows, all take the order of `seed`, the run's own, so that they share a pass.
 *
 * Throws a `UserError` that names the SAE when a key does not apply to its architecture, or when two are the same.
 */
export function membersOf({ grid, saes, ...shared }: Record<string, unknown>, seed: number): readonly TrainMember[] {
  const entries = (saes as z.output<typeof Member>[] | undefined) ?? [{}]
  const members = entries.flatMap(({ name, grid: ownGrid, ...entry }, i) => {
    const combinations = combine({ ...(grid as object), ...ownGrid })
    return combinations.map(values => {
      // What the entry says itself stands first, and over what a grid says.
      const set: Record<string, unknown> = { ...entry, ...values, ...entry }
      const several = combinations.length > 1
      const id = name === undefined || !several ? name : `${name}-${slugOf(values)}`
      return {
        label: id ?? (labelOf(set) || `number ${i + 1}`),
        slug: slugOf(set) || String(i + 1),
        name: id,
        config: memberConfig(shared, set, seed),
      }
    })
  })
  const seen = new Map<string, string>()
  for (const { label, config } of members) {
    check(label, config)
    const text = canonicalJson(config)
    if (seen.has(text))
      throw new UserError(`The SAEs ${seen.get(text)} and ${label} are the same.`, {
        fix: 'Leave one of them out: equal settings give equal bytes.',
      })
    seen.set(text, label)
  }
  const slugs = members.map(({ slug }) => slug)
  return members.map((member, i) =>
    slugs.indexOf(member.slug) === i ? member : { ...member, slug: `${member.slug}-${i + 1}` },
  )
}

/** Every combination of the values, the last key's changing fastest. */
function combine(grid: Record<string, unknown>): Record<string, unknown>[] {
  return Object.entries(grid)
    .filter(([, values]) => values !== undefined)
    .reduce<Record<string, unknown>[]>(
      (found, [key, values]) => found.flatMap(one => (values as unknown[]).map(value => ({ ...one, [key]: value }))),
      [{}],
    )
}

function memberConfig(shared: Record<string, unknown>, set: Record<string, unknown>, seed: number): TrainConfig {
  const config = { ...shared, ...set }
  if (config.seed !== undefined && config.seed !== seed) config.orderSeed ??= seed
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as TrainConfig
}

function check(label: string, config: TrainConfig): void {
  try {
    resolveTraining(config)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    throw new UserError(`SAE ${label}: ${error.message}`, {
      fix: 'Architectures with other keys go into entries of `saes`, each with its own keys or its own grid.',
      cause: error,
    })
  }
}

const texts = (set: Record<string, unknown>) =>
  Object.entries(set).map(
    ([key, value]) => [key, typeof value === 'object' ? JSON.stringify(value) : String(value)] as const,
  )

const labelOf = (set: Record<string, unknown>) =>
  texts(set)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ')

/** The values as part of an id, which has room for 100 characters. */
const slugOf = (set: Record<string, unknown>) =>
  texts(set)
    .map(([key, value]) => (key === 'architecture' ? value : `${key}${value}`))
    .join('-')
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .slice(0, 60)
