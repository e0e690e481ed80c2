/** A latent's record: what features.parquet holds a row of, and what other programs read as JSON lines. */
import { z } from 'zod'
import { EvidenceSummary, Hashes } from '../validation/evidence.ts'

/** Version of the record and of the files that hold it; readers refuse others. */
export const labelsSchema = 3

const share = z.number().min(0).max(1)
const count = z.int().min(0)
const Tokens = z.array(z.strictObject({ token: z.string(), effect: z.number() }))

/** A rule as data: all of its tokens, or the concept. */
export const RuleRecord = z.strictObject({
  kind: z.enum(['token', 'previous-token', 'concept']),
  /** The tokens' texts and their ids, in the order in which the rule took them; empty for a concept. */
  tokens: z.array(z.string()),
  tokenIds: z.array(count),
  concept: z.string().nullable(),
})
export type RuleRecord = z.infer<typeof RuleRecord>

/** One latent of an SAE, described. What is not there is null. */
export const Feature = z.strictObject({
  latent: count,
  /** Short text of the rule; null where none holds well enough on validation text. */
  label: z.string().min(1).nullable(),
  /** The label's kind of rule, `none` without a label. */
  labelKind: z.enum(['token', 'previous-token', 'concept', 'none']),
  /** The best rule of discovery text, whether or not it is a label; null where the latent never fired there. */
  rule: RuleRecord.nullable(),
  /** The rule's scores on the windows that did not choose it; null without a rule. */
  labelPrecision: share.nullable(),
  labelRecall: share.nullable(),
  labelF1: share.nullable(),
  labelBaseRate: share.nullable(),
  /** Share of tokens at which the latent fires. */
  density: share,
  /** Mean over the tokens at which it fires; null where it never does. */
  meanActivation: z.number().nullable(),
  maxActivation: z.number().min(0),
  /** Counts of activations in equal bins from 0 (not included) to `maxActivation`. */
  histogram: z.array(count),
  promoted: Tokens,
  suppressed: Tokens,
  /** |cosine| with the latent's partner in another SAE; null without a comparison, and without a partner. */
  stability: share.nullable(),
  /** What validation found; null where the latent was not tested. */
  evidence: EvidenceSummary.nullable(),
  /** The SAE, model and text that all this is about. */
  hashes: Hashes,
})
export type Feature = z.infer<typeof Feature>

/** Whether a rule describes the latent well enough to be its label. */
export const isLabelled = ({ label }: Pick<Feature, 'label'>): boolean => label !== null
