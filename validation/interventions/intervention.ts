/** What an intervention is: how much of a latent's direction is added at each edited position of a window. */

/** Documents in which an intervention shows something: where the latent is active, or where it is silent. */
export type Takes = 'away' | 'in'

/** What an intervention may know of a latent in one window. */
export interface InterventionSource {
  /** What the latent says at a position; silent ones are left out. */
  readonly activations: ReadonlyMap<number, number>
  /** What it says in another document, drawn by lot. */
  readonly donor: ReadonlyMap<number, number>
  /** Its mean activation over discovery text, tokens at which it is silent among them. */
  readonly mean: number
  /** The activation that strength 1 means: its p99 on discovery text. */
  readonly unit: number
  /** (x · d) / (d · d): how far the value at the site reaches along the direction, in units of it. */
  reach(position: number): number
}

/** One kind of intervention. A new kind is one file here and one line in the index. */
export interface InterventionKind {
  readonly name: string
  /** For reports: what it does to the latent. */
  readonly does: string
  /** For a claim: the same, as what lowers or raises the target. */
  readonly doing: string
  readonly takes: Takes
  /** Whether it needs `reach`, for which the site is read once more. */
  readonly reaches: boolean
  /** The strength where none is named; null for a kind that has none. */
  readonly strength: number | null
  /** Edited positions where none are named. */
  readonly positions: 'all' | 'active'
  /** f′ − f, in units of the direction. */
  change(source: InterventionSource, position: number, strength: number): number
}

/** What the latent says at a position. */
export const activationAt = ({ activations }: InterventionSource, position: number): number =>
  activations.get(position) ?? 0
