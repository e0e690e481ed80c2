/** The two interventions of the main test as the settings have them, and what they are made from in a window. */
import { uniformOf } from '../../core/random.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import { onHost } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import { type Activations, activationsIn, siteRows } from '../../latents/activations.ts'
import type { Model } from '../../model/model.ts'
import type { ValidateConfig } from '../config.ts'
import type { InterventionSource } from '../interventions/intervention.ts'
import { positionsIn } from '../interventions/positions.ts'
import { type Written, writtenIntervention } from '../interventions/written.ts'
import type { Intervention } from '../rows.ts'

/** How each intervention of the main test edits. */
export type MainEdits = Readonly<Record<Intervention, Written>>

/** What the settings `ablation` and `steering` say. */
export function mainEdits({ ablation, steering }: Pick<ValidateConfig, 'ablation' | 'steering'>): MainEdits {
  return { ablate: writtenIntervention(ablation), steer: writtenIntervention(steering) }
}

/** Edited positions of a window of `length` tokens, ascending, and f′ − f at each. */
export function changesOf(
  { kind, positions: where }: Written,
  strength: number,
  source: InterventionSource,
  length: number,
): { readonly positions: readonly number[]; readonly change: Float32Array } {
  const positions = positionsIn(where, length, source.activations.keys())
  return { positions, change: Float32Array.from(positions, position => kind.change(source, position, strength)) }
}

/** What donors are drawn from. */
export interface DonorText {
  readonly seed: number
  readonly unitOf: (window: TokenWindow) => string
}

/**
 * What a latent says in a window of another document than this one, by a lot that depends on seed, `lot` and window alone; nothing
 * where there is no other document.
 */
export function donorOf(
  activations: Activations,
  latent: number,
  window: TokenWindow,
  lot: string | number,
  { seed, unitOf }: DonorText,
): ReadonlyMap<number, number> {
  const own = unitOf(window)
  const others = activations.windows.flatMap((other, w) => (unitOf(other) === own ? [] : [w]))
  if (others.length === 0) return new Map()
  const place = Math.floor(uniformOf(seed, 'resample', lot, window.id) * others.length)
  return activationsIn(activations, latent, others[place]!)
}

/**
 * (x · d) / (d · d) at every position of a window for each direction [directions, width]: values [directions, positions]; 0 for a
 * direction of zeros.
 */
export function reachIn(model: Model, site: string, window: TokenWindow, directions: Float32Array): Float32Array {
  const length = window.tokens.length
  const reach = onHost(() => {
    const rows = siteRows(model, site, tf.tensor2d(window.tokens, [1, length], 'int32'))
    const width = rows.shape[1]
    const { scaled, scales } = withoutScale(directions, width)
    const d = tf.tensor2d(scaled, [scales.length, width])
    const found = d.matMul(rows, false, true).divNoNan(d.square().sum(1, true))
    return { values: found.dataSync<'float32'>() as Float32Array, scales }
  })
  return reach.values.map((value, i) => value / reach.scales[Math.floor(i / length)]!)
}

/**
 * Rows over the power of two just below their largest entry, and these powers: the square of a very short row is nothing in float32.
 * Over a power of two nothing is rounded.
 */
function withoutScale(directions: Float32Array, width: number): { scaled: Float32Array; scales: Float64Array } {
  const scaled = new Float32Array(directions.length)
  const scales = Float64Array.from({ length: directions.length / width }, (_, i) => {
    const row = directions.subarray(i * width, (i + 1) * width)
    const largest = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const scale = largest === 0 ? 1 : 2 ** Math.floor(Math.log2(largest))
    for (let j = 0; j < width; j++) scaled[i * width + j] = row[j]! / scale
    return scale
  })
  return { scaled, scales }
}
