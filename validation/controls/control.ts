/** What a control is: directions that get the same edits as a latent's decoder, at the same places with equal ‖Δx‖. */
import type { Random } from '../../core/random.ts'
import type { FiringLikeness } from './firing.ts'

/** What controls may draw on. */
export interface ControlSource {
  readonly width: number
  /** The latent under test. */
  readonly latent: number
  /** Decoder rows [latents, width], row by row. */
  readonly decoder: Float32Array
  /** Latents that fired on the discovery text, ascending. */
  readonly active: readonly number[]
  /** Latents that detect the same concept as the one under test: no foreign ones. */
  readonly sameConcept: ReadonlySet<number>
  /** Rows of the site's values on discovery text [samples, width], less their mean; empty where not needed. */
  readonly samples: Float32Array
  /** How latents fire on discovery text beside the one under test, in the order asked for. */
  readonly likeness: (latents: readonly number[]) => readonly FiringLikeness[]
  readonly random: Random
}

/** Unit directions [count, width], row by row, and for each what it is (a latent's number, or its own count). */
export interface ControlDirections {
  readonly directions: Float32Array
  readonly ids: readonly number[]
}

/** One kind of control. A new kind is one file here and one line in the index. */
export interface Control {
  readonly name: string
  /** One sentence for reports: what an effect beyond these controls means. */
  readonly rules: string
  /** At most `count` unit directions; fewer where the source has no more. */
  draw(source: ControlSource, count: number): ControlDirections
}

/** Scales a row to length 1, in place; false where it has none. */
export function normalise(row: Float32Array): boolean {
  const norm = Math.hypot(...row)
  if (!(norm > 0)) return false
  for (let i = 0; i < row.length; i++) row[i]! /= norm
  return true
}
