/**
 * The ways in which rotary frequencies are stretched to longer windows, by the `rope_type` of configs. In float32 steps, as
 * the reference computes them, since late positions multiply every rounding.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { Rotary } from '../layers/rotary.ts'

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
  attention_factor: Positive,
  beta_fast: Positive,
  beta_slow: Positive,
  mscale: z.number().min(0).nullish(),
  mscale_all_dim: z.number().min(0).nullish(),
  truncate: z.boolean().nullish(),
  short_factor: z.array(z.number().positive()).nullish(),
  long_factor: z.array(z.number().positive()).nullish(),
})

/** The settings of a rotation, and the longest window of the model. */
export type RopeScaling = z.output<typeof Scaling> & { max_position_embeddings?: number }

/** The base where a config says none. */
export const defaultTheta = 10000

/** Settings that only some types read. */
export const scalingKeys = [
  ...([
    'factor',
    'low_freq_factor',
    'high_freq_factor',
    'attention_factor',
    'beta_fast',
    'beta_slow',
    'mscale',
  ] as const),
  ...(['mscale_all_dim', 'truncate', 'short_factor', 'long_factor'] as const),
]

type Key = keyof RopeScaling

/** One way: what it must have, what else it reads, and the frequencies of `size` rotated elements. */
interface RopeType {
  readonly needs: readonly Key[]
  readonly reads: readonly Key[]
  make(rope: RopeScaling, size: number): Pick<Rotary, 'factor' | 'frequencies'>
}

const f32 = Math.fround

/** θ^(−2i/size) for each pair i, and the base itself. */
function powers(theta: number, size: number): Float32Array {
  return Float32Array.from({ length: Math.ceil(size / 2) }, (_, i) => f32(theta ** f32((2 * i) / size)))
}

const baseOf = ({ rope_theta }: RopeScaling) => rope_theta ?? defaultTheta
const inverse = (values: Float32Array) => values.map(value => f32(1 / value))
const fixed = (frequencies: Float32Array, factor = 1) => ({ factor, frequencies: () => frequencies })

/** Longer windows by one factor. */
const linear: RopeType = {
  needs: ['factor'],
  reads: [],
  make: (rope, size) => fixed(inverse(powers(baseOf(rope), size)).map(frequency => frequency / rope.factor!)),
}

/** Llama 3.1: long waves by the factor, short ones not at all, those between by degrees. */
const llama3: RopeType = {
  needs: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
  reads: [],
  make(rope, size) {
    const [factor, low, high] = [rope.factor!, rope.low_freq_factor!, rope.high_freq_factor!]
    const original = rope.original_max_position_embeddings!
    return fixed(
      inverse(powers(baseOf(rope), size)).map(frequency => {
        const wavelength = (2 * Math.PI) / frequency
        if (wavelength < original / high) return frequency
        if (wavelength > original / low) return frequency / factor
        const smooth = (original / wavelength - low) / (high - low)
        return ((1 - smooth) * frequency) / factor + smooth * frequency
      }),
    )
  },
}

/** A larger base for windows longer than those that the model was trained on (NTK-aware, by length). */
const dynamic: RopeType = {
  needs: ['factor'],
  reads: [],
  make(rope, size) {
    const longest = rope.max_position_embeddings!
    const factor = rope.factor!
    return {
      factor: 1,
      frequencies(positions) {
        const stretched = (factor * Math.max(positions, longest)) / longest - (factor - 1)
        return inverse(powers(baseOf(rope) * stretched ** (size / (size - 2)), size))
      },
    }
  },
}

/** YaRN (Peng et al. 2023, arXiv:2309.00071): pairs that turn often stay, those that turn seldom are interpolated. */
const yarn: RopeType = {
  needs: ['original_max_position_embeddings'],
  reads: ['factor', 'attention_factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim', 'truncate'],
  make(rope, size) {
    if (size % 2 === 1)
      throw new UserError(
        `config.json rotates ${size} elements of each head by the rope type yarn, which takes pairs.`,
        {
          fix: 'Check rotary_pct (or partial_rotary_factor) against the size of a head.',
        },
      )
    const original = rope.original_max_position_embeddings!
    const factor = rope.factor ?? rope.max_position_embeddings! / original
    const base = baseOf(rope)
    const pairTurning = (turns: number) => (size * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(base))
    const [fast, slow] = [pairTurning(rope.beta_fast ?? 32), pairTurning(rope.beta_slow ?? 1)]
    const truncate = rope.truncate ?? true
    const low = Math.max(truncate ? Math.floor(fast) : fast, 0)
    const high = Math.min(truncate ? Math.ceil(slow) : slow, size - 1)
    const span = low === high ? 0.001 : high - low
    const frequencies = powers(base, size).map((power, i) => {
      const ramp = f32(Math.min(1, Math.max(0, (i - low) / span)))
      return f32(f32(1 / f32(factor * power)) * ramp) + f32(f32(1 / power) * f32(1 - ramp))
    })
    return fixed(frequencies, rope.attention_factor ?? yarnFactor(factor, rope))
  },
}

/** How much longer queries and keys become, so that attention stays as sharp (YaRN, section 3.4). */
function yarnFactor(factor: number, { mscale, mscale_all_dim }: RopeScaling): number {
  const grown = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1)
  return mscale && mscale_all_dim ? grown(mscale) / grown(mscale_all_dim) : grown(1)
}

/** LongRoPE (Ding et al. 2024, arXiv:2402.13753): a factor for each pair, others beyond the original window. */
const longrope: RopeType = {
  needs: ['short_factor', 'long_factor', 'original_max_position_embeddings'],
  reads: ['factor', 'attention_factor'],
  make(rope, size) {
    const original = rope.original_max_position_embeddings!
    const factor = rope.factor ?? rope.max_position_embeddings! / original
    for (const key of ['short_factor', 'long_factor'] as const)
      if (rope[key]!.length !== Math.ceil(size / 2))
        throw new UserError(
          `config.json has ${rope[key]!.length} numbers in ${key}, but ${Math.ceil(size / 2)} pairs are rotated.`,
        )
    const stretched = (factors: readonly number[]) =>
      inverse(powers(baseOf(rope), size).map((power, i) => f32(f32(factors[i]!) * power)))
    const [short, long] = [stretched(rope.short_factor!), stretched(rope.long_factor!)]
    return {
      factor: rope.attention_factor ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original))),
      frequencies: positions => (positions > original ? long : short),
    }
  },
}

export const scalings = {
  default: {
    needs: [],
    reads: [],
    make: (rope: RopeScaling, size: number) => fixed(inverse(powers(baseOf(rope), size))),
  },
  linear,
  llama3,
  dynamic,
  yarn,
  longrope,
} as const satisfies Record<string, RopeType>
