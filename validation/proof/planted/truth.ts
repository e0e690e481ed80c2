/** What a planted truth is: latents of which is known what they do, and what must come of their claims. */
import type { Evidence } from '../../evidence.ts'

export type Feature = Evidence['features'][number]

/**
 * One kind, planted once for each of some concepts in the world of `coordinates.ts`. A new one is one file here and one line in the
 * index.
 */
export interface Truth {
  readonly text: string
  /** What must come of its claims. */
  readonly outcome: string
  readonly concepts: readonly number[]
  /** The coordinates that the latent of concept c reads, and those that it writes, with their weights. */
  latent(c: number): { readonly read: number; readonly write: Readonly<Record<number, number>> }
  /** Whether labels carry what only context tells, on tokens that the latent tells without it. */
  readonly contextual?: boolean
  /** Whether documents of either half have cues of their own, which the model may read the other way. */
  readonly halves?: boolean
  /** Studies whose findings say how a claim came out, beside its verdict. */
  readonly studies?: readonly string[]
  /** Whether a claim came out as it must. */
  holds(feature: Feature): boolean
}
