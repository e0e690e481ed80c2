/**
 * What a supervised direction is: one that is fitted to labels, on discovery text alone. Under the same edits at equal norm it
 * shows how much a direction that was told the answer moves the target: the ceiling that a latent's effect is a share of
 * (AxBench, arXiv:2501.17148).
 */
import type { SiteValues } from '../../latents/projections.ts'
import type { Material } from '../claims/plan.ts'
import type { Target } from '../claims/targets.ts'

/** What a direction is fitted to. */
export interface Labelled {
  readonly material: Material
  readonly target: Target
  /** Values at the site on discovery text: a row a token after position 0 [tokens, width]. */
  readonly values: SiteValues
  /** For each of these rows 1 where the token carries the claimed concept, or where the latent fires. */
  readonly labels: Uint8Array
}

/** One way to fit a direction. A new one is one file here and one line in the index. */
export interface Supervised {
  readonly name: string
  /** What it is, for reports. */
  readonly text: string
  /** A direction [width] towards the concept, of any length; undefined where the labels give none. */
  learn(labelled: Labelled): Float32Array | undefined
}

/** How many rows are labelled. */
export function positivesOf(labels: Uint8Array): number {
  return labels.reduce((sum, label) => sum + label, 0)
}
