/** The raw values of a validation: what is measured of a latent, before anything is made of it. */
import type { TokenWindow } from '../datasets/document.ts'
import type { ControlKind } from './controls/index.ts'
import type { Claim } from './evidence.ts'

/** Fewer documents than this say nothing about documents. */
export const fewestDocuments = 3

/** Controls of a kind for the intervention that no verdict rests on: enough for a rank to be reported beside it. */
export const secondaryControls = 99

/** `ablate` sets the latent to 0 where it is active; `steer` sets it to dose × unit at every position. */
export type Intervention = 'ablate' | 'steer'

/** One line of effects.parquet: the raw value of one edit on one document. */
export interface EffectRow {
  readonly feature: number
  readonly intervention: Intervention
  /** 0 for ablation; for steering the latent's new value in units of its p99 activation. */
  readonly dose: number
  /** `feature`, `sham`, or a kind of control. */
  readonly control: 'feature' | 'sham' | 'tied' | ControlKind
  /** Which control of its kind (a latent's number for foreign ones); null for the feature and the sham. */
  readonly controlId: number | null
  /** The document, the unit of statistics, and its window that was edited. */
  readonly document: string
  readonly window: string
  /** Edited positions. */
  readonly positions: number
  readonly norm: number
  readonly target: number
  /** Null, as KL is, for controls behind the first round: nothing rests on it. */
  readonly loss: number | null
  readonly kl: number | null
}

/** A window of a document, with the latent's activation at each position that is edited. */
export interface ClaimDocument {
  readonly document: string
  readonly window: TokenWindow
  readonly activations: ReadonlyMap<number, number>
}

/** One validation window of one latent: where it is active and which tokens carry its concept. */
export interface SelectivityRow {
  readonly feature: number
  readonly document: string
  readonly window: string
  /** Tokens after position 0. */
  readonly tokens: number
  readonly positions: readonly number[]
  readonly activations: readonly number[]
  readonly labelled: readonly number[]
}

/** What was measured of one latent. */
export interface Measured {
  readonly claim: Claim
  readonly rows: readonly EffectRow[]
  /** Empty, as the null is, for a claim without a concept. */
  readonly selectivity: readonly SelectivityRow[]
  readonly nullMaxima: readonly number[]
}
