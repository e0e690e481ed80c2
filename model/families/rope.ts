/**
 * Rotary settings of configs, in both forms: `rope_theta` + `rope_scaling`, or `rope_parameters` (transformers 5); and in
 * files that mix them, as transformers reads those: `rope_scaling` before `rope_parameters`, and what the one taken leaves
 * out from the top of the config.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { RotaryFrequencies } from '../layers/rotary.ts'
import { type Harmless, only } from './known-keys.ts'

const Positive = z.number().positive().nullish()

/** The settings of one kind of rotation. */
export const Scaling = z.object({
  rope_type: z.string().nullish(),
  /** The oldest name of `rope_type`. */
  type: z.string().nullish(),
  rope_theta: Positive,
  partial_rotary_factor: z.number().gt(0).max(1).nullish(),
  factor: Positive,
  low_freq_factor: Positive,
  high_freq_factor: Positive,
  original_max_position_embeddings: Positive,
})
export type RopeScaling = z.output<typeof Scaling>

/** The keys of a config that say how it rotates. */
export const Rope = {
  rope_theta: Positive,
  rope_scaling: Scaling.nullish(),
  rope_parameters: Scaling.nullish(),
  original_max_position_embeddings: Positive,
}

/** Keys of a config that rotates whole heads, each pair by half-split: these say so. */
export const wholeHeads: Harmless = {
  partial_rotary_factor: only(1),
  rope_interleaved: only(false),
}

/** The same where each kind of layer rotates in its own way (Gemma 3). */
export const RopeByLayer = {
  rope_theta: Positive,
  rope_local_base_freq: Positive,
  rope_scaling: Scaling.nullish(),
  rope_parameters: z.object({ full_attention: Scaling.nullish(), sliding_attention: Scaling.nullish() }).nullish(),
}

const defaultTheta = 10000

interface RopeConfig {
  rope_theta?: number | null | undefined
  rope_scaling?: RopeScaling | null | undefined
  rope_parameters?: RopeScaling | null | undefined
  original_max_position_embeddings?: number | null | undefined
  max_position_embeddings: number
}

/** The settings of a config in either form or both, as the newer one has them. */
export function ropeOf(config: RopeConfig): RopeScaling {
  const scaling = config.rope_scaling
  const rope = (scaling && Object.keys(scaling).length > 0 ? scaling : config.rope_parameters) ?? {}
  return {
    ...rope,
    rope_theta: rope.rope_theta ?? config.rope_theta ?? defaultTheta,
    original_max_position_embeddings:
      config.original_max_position_embeddings ??
      rope.original_max_position_embeddings ??
      config.max_position_embeddings,
  }
}

/** Which numbers each type reads besides the base. */
const types = {
  default: [],
  linear: ['factor'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
} as const satisfies Record<string, readonly (keyof RopeScaling)[]>

/**
 * One frequency for each pair of `size` rotated elements, θ^(−2i/size), scaled as the settings say; in float32 steps,
 * as the reference computes them, since late positions multiply every rounding. An odd size has a last pair of which only
 * one element was meant: it is rotated whole.
 */
export function frequenciesOf(rope: RopeScaling, size: number): RotaryFrequencies {
  const type = rope.rope_type ?? rope.type ?? 'default'
  if (!Object.hasOwn(types, type))
    throw new UserError(`config.json asks for the rope type ${JSON.stringify(type)}, which is not known here.`, {
      fix: `Known are ${Object.keys(types).join(', ')}.`,
    })
  const [factor, low, high, original] = numbersOf(rope, type as keyof typeof types)
  const f32 = Math.fround
  const base = Float32Array.from({ length: Math.ceil(size / 2) }, (_, i) =>
    f32(1 / f32((rope.rope_theta ?? defaultTheta) ** f32((2 * i) / size))),
  )
  if (factor === undefined) return base
  if (low === undefined || high === undefined || original === undefined)
    return base.map(frequency => frequency / factor)
  return base.map(frequency => {
    const wavelength = (2 * Math.PI) / frequency
    if (wavelength < original / high) return frequency
    if (wavelength > original / low) return frequency / factor
    const smooth = (original / wavelength - low) / (high - low)
    return ((1 - smooth) * frequency) / factor + smooth * frequency
  })
}

/** The numbers a type reads; one that is missing is refused, and so is one that it does not read and that says something. */
function numbersOf(rope: RopeScaling, type: keyof typeof types): number[] {
  const read: readonly (keyof RopeScaling)[] = types[type]
  for (const key of ['factor', 'low_freq_factor', 'high_freq_factor'] as const)
    if (!read.includes(key) && (rope[key] ?? 1) !== 1)
      throw new UserError(
        `config.json has the rope type ${type}, which does not read ${key}, but a ${key} of ${rope[key]}.`,
        {
          fix: 'Say the rope_type that is meant, or remove the number.',
        },
      )
  return read.map(key => {
    const value = rope[key]
    if (typeof value !== 'number') throw new UserError(`config.json has the rope type ${type} but no ${key}.`)
    return value
  })
}

/** Refuses a share of each head to rotate in a family that rotates all of it. */
export function wholeHeadsOnly(rope: RopeScaling): RopeScaling {
  if ((rope.partial_rotary_factor ?? 1) !== 1)
    throw new UserError(
      `config.json asks for a partial_rotary_factor of ${rope.partial_rotary_factor}, but its family rotates whole heads.`,
    )
  return rope
}
