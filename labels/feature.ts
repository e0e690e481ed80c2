/** A latent's record: what features.parquet holds a row of, and what other programs read as JSON lines. */
import { z } from 'zod'
import { EvidenceSummary, Hashes } from '../validation/evidence.ts'
import { Explanation } from './explanation.ts'

/** Version of the record and of the files that hold it; readers refuse others. */
export const labelsSchema = 4

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

/** A histogram with its edges: `counts[i]` values are above `edges[i]` and up to `edges[i + 1]`. */
export const Histogram = z.strictObject({ edges: z.array(z.number()), counts: z.array(count) })
export type Histogram = z.infer<typeof Histogram>

/** A token at, or before, which a latent fires. */
export const FiringToken = z.strictObject({
  token: z.string(),
  tokenId: count,
  /** Tokens at which it fires, of those that are this one (follow this one). */
  fires: count,
  occurs: count,
  /** Share of the latent's activation that lies there. */
  share,
})
export type FiringToken = z.infer<typeof FiringToken>

/** How densely a latent fires on the tokens of a stratum, such as `language=en`. */
export const StratumDensity = z.strictObject({ stratum: z.string(), tokens: count, density: share })
export type StratumDensity = z.infer<typeof StratumDensity>

/** A latent whose decoder row points the same way. */
const NearLatent = z.strictObject({ latent: count, cosine: z.number().min(-1).max(1) })
/** A latent that fires at the same tokens. */
const TogetherLatent = z.strictObject({
  latent: count,
  /** Share of this latent's tokens at which the other fires, too. */
  share,
  /** Tokens at which both fire, as a share of those at which either does. */
  jaccard: share,
})

/** One latent of an SAE, described. What is not there is null. */
export const Feature = z.strictObject({
  latent: count,
  /** What it is about in few words: the rule, or the explanation of a language model; null where neither holds well enough. */
  label: z.string().min(1).nullable(),
  /** The kind of rule, `explanation` for a language model's words, `none` without a label. */
  labelKind: z.enum(['token', 'previous-token', 'concept', 'explanation', 'none']),
  /** The score that made it the label, on text that did not suggest it: F1 of a rule, balanced accuracy of detection of an explanation. */
  labelScoreName: z.enum(['f1', 'detection']).nullable(),
  labelScore: share.nullable(),
  /** 95 % interval over examples; null for a rule. */
  labelScoreLow: share.nullable(),
  labelScoreHigh: share.nullable(),
  /** Share of the latent's activation that the label covers: that lies where the rule holds, or in examples that were recognised by the explanation. */
  labelCoverage: share.nullable(),
  /** Who made it: `rule`, or the language model's name; null without a label. */
  labelSource: z.string().min(1).nullable(),
  /** The best rule of discovery text, whether or not it is a label; null where the latent never fired there. */
  rule: RuleRecord.nullable(),
  /** The rule's scores on the windows that did not choose it; null without a rule. */
  labelPrecision: share.nullable(),
  labelRecall: share.nullable(),
  labelF1: share.nullable(),
  labelBaseRate: share.nullable(),
  /** What a language model said of it, with its scores; null where none was asked. */
  explanation: Explanation.nullable(),
  /** Share of tokens at which the latent fires. */
  density: share,
  /** The same for each stratum of the text. */
  strata: z.array(StratumDensity),
  /** Mean over the tokens at which it fires; null where it never does. */
  meanActivation: z.number().nullable(),
  maxActivation: z.number().min(0),
  /** Activations where it fires, in equal bins from 0 (not included) to `maxActivation`. */
  histogram: Histogram,
  /** Windows in which it fires, as a share of those read. */
  windows: share,
  /** Mean length, in tokens, of the runs of tokens at which it fires; null where it never does. */
  meanRun: z.number().nullable(),
  /** Different tokens at which it fires, and those with most of its activation. */
  distinctTokens: count,
  tokens: z.array(FiringToken),
  /** The same for the tokens before. */
  previousTokens: z.array(FiringToken),
  promoted: Tokens,
  suppressed: Tokens,
  /** Direct effects on all tokens of the vocabulary; null where the SAE writes to no residual. */
  logitHistogram: Histogram.nullable(),
  /** Nearest latents of the same SAE, nearest first. */
  nearest: z.array(NearLatent),
  together: z.array(TogetherLatent),
  /** |cosine| with the latent's partner in another SAE; null without a comparison, and without a partner. */
  stability: share.nullable(),
  /** What validation found; null where the latent was not tested. */
  evidence: EvidenceSummary.nullable(),
  /** The SAE, model and text that all this is about. */
  hashes: Hashes,
})
export type Feature = z.infer<typeof Feature>

/** Whether there is a label. */
export const isLabelled = ({ label }: Pick<Feature, 'label'>): boolean => label !== null
