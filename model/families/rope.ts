/** Rotary settings of configs, in both forms: `rope_theta` + `rope_scaling`, or `rope_parameters` (transformers 5). */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { RotaryFrequencies } from '../layers/rotary.ts'

const Scaling = z.object({
  rope_type: z.string().optional(),
  /** The oldest name of `rope_type`. */
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  partial_rotary_factor: z.number().gt(0).max(1).optional(),
  factor: z.number().positive().optional(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  original_max_position_embeddings: z.int().positive().optional(),
})

/** The keys of a config that say how it rotates. */
export const Rope = {
  rope_theta: z.number().positive().optional(),
  rope_scaling: Scaling.nullish(),
  rope_parameters: Scaling.nullish(),
}

/** The same where each kind of layer rotates in its own way (Gemma 3). */
export const RopeByLayer = {
  rope_theta: z.number().positive().optional(),
  rope_local_base_freq: z.number().positive().optional(),
  rope_scaling: Scaling.nullish(),
  rope_parameters: z.object({ full_attention: Scaling, sliding_attention: Scaling }).nullish(),
}

export type RopeScaling = z.output<typeof Scaling>

/** The settings of a config in either form, as the newer one has them. */
export function ropeOf(config: {
  rope_theta?: number | undefined
  rope_scaling?: RopeScaling | null | undefined
  rope_parameters?: RopeScaling | null | undefined
}): RopeScaling {
  return config.rope_parameters ?? { ...config.rope_scaling, rope_theta: config.rope_theta ?? 10000 }
}

const types = ['default', 'linear', 'llama3'] as const

/**
 * One frequency for each pair of `size` rotated elements, θ^(−2i/size), scaled as the settings say; in float32 steps,
 * as the reference computes them, since late positions multiply every rounding.
 */
export function frequenciesOf(rope: RopeScaling, size: number): RotaryFrequencies {
  const f32 = Math.fround
  const base = Float32Array.from({ length: size / 2 }, (_, i) =>
    f32(1 / f32((rope.rope_theta ?? 10000) ** f32((2 * i) / size))),
  )
  const type = rope.rope_type ?? rope.type ?? 'default'
  switch (type) {
    case 'default':
      return base
    case 'linear': {
      const factor = needed(rope, 'factor', type)
      return base.map(frequency => frequency / factor)
    }
    case 'llama3': {
      const factor = needed(rope, 'factor', type)
      const low = needed(rope, 'low_freq_factor', type)
      const high = needed(rope, 'high_freq_factor', type)
      const original = needed(rope, 'original_max_position_embeddings', type)
      return base.map(frequency => {
        const wavelength = (2 * Math.PI) / frequency
        if (wavelength < original / high) return frequency
        if (wavelength > original / low) return frequency / factor
        const smooth = (original / wavelength - low) / (high - low)
        return ((1 - smooth) * frequency) / factor + smooth * frequency
      })
    }
    default:
      throw new UserError(`config.json asks for the rope type ${JSON.stringify(type)}, which is not known here.`, {
        fix: `Known are ${types.join(', ')}.`,
      })
  }
}

function needed(rope: RopeScaling, key: keyof RopeScaling, type: string): number {
  const value = rope[key]
  if (typeof value !== 'number') throw new UserError(`config.json has the rope type ${type} but no ${key}.`)
  return value
}
