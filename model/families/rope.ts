/**
 * Rotary settings of configs, in both forms: `rope_theta` + `rope_scaling`, or `rope_parameters` (transformers 5); and in
 * files that mix them, as transformers reads those: `rope_scaling` before `rope_parameters`, and what the one taken leaves
 * out from the top of the config.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { Rotary } from '../layers/rotary.ts'
import { type Harmless, only } from './known-keys.ts'
import { defaultTheta, type RopeScaling, Scaling, scalingKeys, scalings } from './rope-scalings.ts'

const Positive = z.number().positive().nullish()

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

interface RopeConfig {
  rope_theta?: number | null | undefined
  rope_scaling?: RopeScaling | null | undefined
  rope_parameters?: RopeScaling | null | undefined
  original_max_position_embeddings?: number | null | undefined
  max_position_embeddings: number
}

/** The settings of a config in either form or both, as the newer one has them. */
export function ropeOf(config: RopeConfig, theta = defaultTheta): RopeScaling {
  const scaling = config.rope_scaling
  const rope = (scaling && Object.keys(scaling).length > 0 ? scaling : config.rope_parameters) ?? {}
  return {
    ...rope,
    max_position_embeddings: config.max_position_embeddings,
    rope_theta: rope.rope_theta ?? config.rope_theta ?? theta,
    original_max_position_embeddings:
      config.original_max_position_embeddings ??
      rope.original_max_position_embeddings ??
      config.max_position_embeddings,
  }
}

/** How heads rotate by a config's settings, over `size` of their elements. */
export function rotaryOf(rope: RopeScaling, size: number, pairs: Rotary['pairs'] = 'halves'): Rotary {
  const type = rope.rope_type ?? rope.type ?? 'default'
  if (!Object.hasOwn(scalings, type))
    throw new UserError(`config.json asks for the rope type ${JSON.stringify(type)}, which is not known here.`, {
      fix: `Known are ${Object.keys(scalings).join(', ')}.`,
    })
  const scaling = scalings[type as keyof typeof scalings]
  const read: readonly string[] = [...scaling.needs, ...scaling.reads]
  for (const key of scalingKeys)
    if (!read.includes(key) && (rope[key] ?? 1) !== 1)
      throw new UserError(
        `config.json has the rope type ${type}, which does not read ${key}, but a ${key} of ${JSON.stringify(rope[key])}.`,
        { fix: 'Say the rope_type that is meant, or remove the number.' },
      )
  for (const key of scaling.needs)
    if ((rope[key] ?? null) === null) throw new UserError(`config.json has the rope type ${type} but no ${key}.`)
  // An odd size has a last pair of which only one element was meant: it is rotated whole.
  return { size: 2 * Math.ceil(size / 2), pairs, ...scaling.make(rope, size) }
}

/** How many elements of a head a share of it is; a `UserError` where they are no pairs. */
export function rotatedOf(headDim: number, share: number): number {
  const rotated = Math.floor(headDim * share)
  if (rotated < 2 || rotated % 2 === 1)
    throw new UserError(
      `config.json rotates ${rotated} elements of each head (a partial_rotary_factor of ${share}), but they are rotated in pairs.`,
    )
  return rotated
}

/**
 * The longest window. A rotation that goes by the window's length stretches what the model was trained on, and so does YaRN,
 * whose settings are often written into a config that keeps the shorter window (Qwen 2.5).
 */
export function contextOf(config: {
  readonly max_position_embeddings: number
  readonly rope_scaling?: object | null | undefined
  readonly rope_parameters?: object | null | undefined
}): number {
  const scaling = config.rope_scaling
  const rope: Partial<RopeScaling> =
    (scaling && Object.keys(scaling).length > 0 ? scaling : config.rope_parameters) ?? {}
  const type = rope.rope_type ?? rope.type
  const factor = rope.factor ?? 1
  const said = config.max_position_embeddings
  if (type === 'dynamic') return Math.floor(said * factor)
  if (type === 'yarn') return Math.max(said, Math.floor((rope.original_max_position_embeddings ?? 0) * factor))
  return said
}

/** Refuses a share of each head to rotate in a family that rotates all of it. */
export function wholeHeadsOnly(rope: RopeScaling): RopeScaling {
  if ((rope.partial_rotary_factor ?? 1) !== 1)
    throw new UserError(
      `config.json asks for a partial_rotary_factor of ${rope.partial_rotary_factor}, but its family rotates whole heads.`,
    )
  return rope
}
