/**
 * The `train` stage's config: one flat schema of what belongs to training and what belongs to the chosen architecture.
 *
 * A value is the user's, else the preset's, else our default. `resolveTraining` gives the settings that hold, and they are
 * recorded in full with the result.
 */
import { z } from 'zod'
import { parseConfig, unwrap } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import type { Architecture } from '../architecture.ts'
import { architectureNames, architectureOf, architectures } from '../architectures/index.ts'
import { refuseIdle } from './combinations.ts'
import { presetNames, presetSettings, presetTraining } from './presets.ts'
import { TrainingSettings } from './settings.ts'

/** The same keys without defaults, so that one can tell what the user gave; the description names the default. */
function optional(shape: Record<string, z.ZodType>): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(shape).map(([key, schema]) => {
      const start = schema.safeParse(undefined)
      const text = schema.description ?? unwrap(schema).description ?? ''
      const shown = start.success && start.data !== undefined ? `${text} [${JSON.stringify(start.data)}]` : text
      return [key, unwrap(schema).optional().describe(shown)]
    }),
  )
}

/** Settings of all architectures; a key that several have means the same in each. */
const architectureKeys: Record<string, z.ZodType> = {}
for (const { config } of Object.values(architectures) as unknown as Architecture[])
  for (const [key, schema] of Object.entries(optional(config.shape as Record<string, z.ZodType>)))
    architectureKeys[key] ??= schema
// Of the architectures that choose latents over a batch it may be a fraction; each holds it to its own rule.
architectureKeys.k = z
  .number()
  .positive()
  .optional()
  .describe('Latents kept a row; a fraction, such as 12.5, where a whole batch shares them [32]')

/** Measuring, while training, what the model's loss is with the SAE in place. */
const Fidelity = z.strictObject({
  every: z.int().positive().default(1000).describe('Steps from one measurement to the next; the last step is one, too'),
  windows: z.int().positive().default(32).describe('Held-out windows of text that it is measured on'),
  model: z.string().optional().describe('Model directory (default: the one the capture was made from)'),
  dataset: DatasetConfig.optional().describe('Text (default: that which the capture was made from)'),
})

const Base = z.strictObject({
  capture: z.string().optional().describe('Run or directory of the activations to learn from'),
  site: z.string().optional().describe('Site whose activations are read; default: the only site of the capture'),
  sites: z
    .array(z.string())
    .optional()
    .describe('Sites that are read together, by crosscoders and cross-layer transcoders'),
  targets: z
    .array(z.string())
    .optional()
    .describe('Sites that are predicted, one for each of sites, by cross-layer transcoders'),
  target: z.string().optional().describe('Site that is predicted, by transcoders'),
  architecture: z.enum(architectureNames).default('topk').describe('SAE architecture'),
  preset: z.enum(presetNames).optional().describe('Conventions of a library, its known faults included'),
  latents: z
    .int()
    .positive()
    .optional()
    .describe('Number of latents (a layer, of cross-layer transcoders); default: 16 times the width of a site'),
  fidelity: Fidelity.optional().describe("Measure the model's loss with the SAE in place now and then"),
})

/** Config of the `train` stage. */
export const TrainConfig = z.strictObject({
  ...Base.shape,
  ...optional(TrainingSettings.shape),
  ...architectureKeys,
}) as unknown as z.ZodObject<
  typeof Base.shape & { [Key in keyof TrainingSettings]: z.ZodOptional<z.ZodType<TrainingSettings[Key]>> }
>

export type TrainConfig = z.output<typeof TrainConfig>
/** What a caller may write: every key is optional, and architecture settings lie beside the others. */
export type TrainInput = Partial<z.input<typeof Base>> &
  Partial<z.input<typeof TrainingSettings>> &
  Record<string, unknown>

export interface ResolvedTraining {
  readonly architecture: Architecture
  /** The architecture's settings. */
  readonly own: Readonly<Record<string, unknown>>
  readonly training: TrainingSettings
}

/** The settings that hold: the user's over the preset's over our defaults. A key of another architecture is refused. */
export function resolveTraining(config: TrainConfig): ResolvedTraining {
  const architecture = architectureOf(config.architecture)
  const ownKeys = Object.keys(architecture.config.shape)
  const general = Object.keys(TrainingSettings.shape)
  const given = Object.entries(config).filter(([key, value]) => value !== undefined && !(key in Base.shape))
  for (const [key] of given)
    if (!ownKeys.includes(key) && !general.includes(key))
      throw new UserError(`train key ${key} does not apply to the architecture ${architecture.name}.`, {
        fix: `Leave it out; did you mean ${nearest(key, ownKeys, 1)[0]}?`,
      })
  const mine = Object.fromEntries(given)
  const only = (keys: string[]) => Object.fromEntries(Object.entries(mine).filter(([key]) => keys.includes(key)))
  const fromPreset = config.preset ? presetSettings(config.preset, architecture.name, ownKeys) : {}
  const own = parseConfig(architecture.config, { ...fromPreset, ...only(ownKeys) }, 'train') as Record<string, unknown>
  const training = parseConfig(
    TrainingSettings,
    {
      ...architecture.training,
      ...(config.preset ? presetTraining(config.preset, architecture.name) : {}),
      ...only(general),
    },
    'train',
  )
  refuseIdle(Object.keys(mine), training, own, architecture.name)
  return { architecture, own, training }
}
