/**
 * Screening of an encoder in float32 (`engine/native/screen.h`): a product of small whole numbers bounds every pre-activation,
 * and only those that may matter are computed in float32. Results are those of the dense kernel, to the bit.
 */
import type { Tensor } from '../../tf.ts'

/** Whether to screen: never, where it pays, or wherever the instruction set in use has a product for it (for tests). */
export const SCREENINGS = ['off', 'auto', 'always'] as const
export type Screening = (typeof SCREENINGS)[number]

/** What became of the pairs of a row and a latent of one call. */
export interface Screened {
  /** Otherwise all rows went to the dense kernel at once. */
  readonly used: boolean
  /** Pairs that the bounds left in question. */
  readonly candidates: number
  /** Pairs that were summed as the dense kernel sums. */
  readonly summed: number
  /** Rows that went to the dense kernel. */
  readonly left: number
}

/** Reads an op's report, and disposes it. */
export function readScreened(report: Tensor): Screened {
  const [used, candidates, summed, left] = report.dataSync() as Float32Array
  report.dispose()
  return { used: used === 1, candidates: candidates!, summed: summed!, left: left! }
}

/** The share of all pairs that were left in question, all of a row that went to the dense kernel; undefined without screening. */
export function shareInQuestion(
  { used, candidates, left }: Screened,
  rows: number,
  latents: number,
): number | undefined {
  return used ? (candidates + left * latents) / (rows * latents) : undefined
}
