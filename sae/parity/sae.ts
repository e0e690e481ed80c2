/** Compares an SAE's latents and reconstruction with values its own library stored. */
import { UserError } from '../../core/errors.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { noticesOf, openSae } from '../formats/index.ts'
import { readsSequences } from '../inference.ts'
import { openRows } from '../measure/rows.ts'

const compared = ['latents', 'reconstruction'] as const
type Compared = (typeof compared)[number]

export interface SaeComparison {
  readonly sae: string
  readonly architecture: string
  readonly rows: number
  /** Largest absolute differences; NaN where a value is none. */
  readonly latents: number
  readonly reconstruction: number
  readonly largest: number
  /** Largest absolute values of those that are expected. */
  readonly scale: Readonly<Record<Compared, number>>
  /** What is to be known of how the SAE's files were read. */
  readonly notices: readonly string[]
}

/**
 * Whether both agree: the largest difference is at most `tolerance` times 1 and the largest expected value. Sums in float32
 * err by a share of what is summed, so that a bound without it would fail correct SAEs of large activations.
 */
export function agrees(comparison: SaeComparison, tolerance: number): boolean {
  return compared.every(name => comparison[name] <= tolerance * (1 + comparison.scale[name]))
}

/**
 * `reference` is a safetensors file with `x` [rows, width], `latents` [rows, latents] and `reconstruction` [rows, outputs];
 * rows may have several axes, such as batch and position.
 */
export async function verifySae(sae: string, reference: string): Promise<SaeComparison> {
  const opened = await openSae(sae)
  try {
    const file = await openRows(reference)
    try {
      const x = await file.rows('x', opened.width)
      const latents = await file.rows('latents', opened.latents)
      const reconstruction = await file.rows('reconstruction', opened.outputs)
      const rows = x.length / opened.width
      for (const [name, count] of [
        ['latents', latents.length / opened.latents],
        ['reconstruction', reconstruction.length / opened.outputs],
      ] as const)
        if (count !== rows) throw new UserError(`${reference} has ${rows} rows of x, but ${count} of ${name}.`)
      const each = readsSequences(opened.architecture) ? file.positions('x', opened.width) : rows
      const ours = tf.tidy(() => {
        const given = tf.tensor2d(x, [rows, opened.width])
        const starts = Array.from({ length: Math.ceil(rows / each) }, (_, i) => i * each)
        const together = starts.map(start => given.slice<Tensor2D>([start, 0], [Math.min(each, rows - start), -1]))
        return {
          latents: tf.concat(together.map(part => opened.encodeDense(part))),
          reconstruction: tf.concat(together.map(part => opened.reconstruct(part))),
        }
      })
      const [ourLatents, ourReconstruction] = [await ours.latents.data(), await ours.reconstruction.data()]
      tf.dispose([ours.latents, ours.reconstruction])
      const differences = {
        latents: largestOf(latents, (value, i) => value - ourLatents[i]!),
        reconstruction: largestOf(reconstruction, (value, i) => value - ourReconstruction[i]!),
      }
      const { architecture } = opened
      return {
        sae,
        architecture,
        rows,
        ...differences,
        largest: Math.max(differences.latents, differences.reconstruction),
        scale: { latents: largestOf(latents), reconstruction: largestOf(reconstruction) },
        notices: noticesOf(opened),
      }
    } finally {
      await file.close()
    }
  } finally {
    opened.dispose()
  }
}

/** Largest absolute value of what is made of each number; NaN where one of them is. */
function largestOf(values: Float32Array, of: (value: number, i: number) => number = value => value): number {
  return values.reduce((most, value, i) => Math.max(most, Math.abs(of(value, i))), 0)
}
