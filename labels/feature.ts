/** A latent's record: what features.parquet holds a row of, and what other programs read as JSONL. */
import type { EvidenceSummary } from '../validation/evidence.ts'

/** One latent of an SAE, described. */
export interface Feature {
  readonly latent: number
  /** Short text; empty where no rule describes the latent and it promotes nothing. */
  readonly label: string
  /** `token`, `previous-token` or `concept` where a rule was found, `promotes` for a logit description, `none` else. */
  readonly labelKind: string
  /** Rule scores on the windows that did not choose it; null without a rule. */
  readonly labelPrecision: number | null
  readonly labelRecall: number | null
  readonly labelF1: number | null
  readonly labelBaseRate: number | null
  /** Share of tokens at which the latent fires. */
  readonly density: number
  readonly meanActivation: number
  readonly maxActivation: number
  /** Counts of activations in equal bins from 0 (not included) to `maxActivation`. */
  readonly histogram: readonly number[]
  readonly promoted: readonly { token: string; effect: number }[]
  readonly suppressed: readonly { token: string; effect: number }[]
  /** |cosine| with the latent's partner in another SAE, where a comparison was given. */
  readonly stability?: number
  /** What validation found, as far as the latent was tested. */
  readonly evidence: EvidenceSummary | null
}
