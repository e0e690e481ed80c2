/** `evidence.json`: claims, splits, statistics, controls and verdicts, each number recomputable from the tables beside it. */
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { readJson } from '../core/files.ts'
import { Claim, ClaimsSource } from './contracts/claim.ts'
import { EffectSummary, IntervalMethod, numberOrNull as number, Verdict } from './contracts/common.ts'
import { FalsifierFound, StratumHeld } from './contracts/conditions.ts'
import { LatentFindings, SaeFindings } from './contracts/index.ts'
import { Tier, TierFound } from './contracts/tier.ts'

/** Version of effects.parquet, the table of raw values beside the evidence; readers refuse others. */
export const effectsSchema = 3

export { Claim, Claims, ClaimsSource } from './contracts/claim.ts'
export { flagsOf } from './contracts/flags.ts'
export { Change, Tier, tierNames } from './contracts/tier.ts'

/** What each metric means; the names are used throughout. */
export const definitions: Readonly<Record<string, string>> = {
  target:
    'mean over edited positions of the change of Σ_v w_v log p_v, nats; w = p(v | concept) − p(v | rest), fixed before measuring',
  loss: 'mean change of next-token cross-entropy from the first edited position on, nats',
  kl: 'mean KL(clean ‖ edited) of the next-token distribution from the first edited position on, nats',
  document:
    'the unit of statistics: windows of one document and of its near-duplicates are averaged; where none has half of a window’s tokens, the window',
  difference:
    'mean over documents of the latent’s effect less the mean effect of the controls on the same document; of tied controls, which have documents of their own, less the mean of their mean effects',
  spread: 'quantiles α/2 and 1 − α/2 of the mean effects of the controls of one kind',
  p: 'h / l where the h-th control with a mean effect at least as far in the claimed direction is the l-th (h = 10: the measuring ends there), else (1 + #{controls as far}) / (controls + 1), with controls that another kind kept from being measured counted as far, and a fitted tail’s bound beyond all controls where 1 / (controls + 1) is more than α by the number of latents; of loss and KL the latter, as far from 0, among the first twenty',
  q: 'Benjamini–Hochberg over the latents tested, of the largest p of the kinds of control',
  interval:
    'of a mean over documents: Student’s t, and of a difference from controls Welch’s over documents and directions; none below three documents',
  minimumDetectableEffect:
    'smallest effect beyond the hardest controls that passes by the rule with the stated power, in studies with documents and controls drawn again; null where none does',
  atSmallestEffect: 'the same power, where the effect beyond the hardest controls is the smallest of interest',
  auroc:
    'P(activation of a token with the concept > of one without), ties half; tokens after position 0; interval over documents by Obuchowski’s variance and Student’s t',
}

/**
 * The latent against one kind of control: on the same documents and positions with equal ‖Δx‖ (paired), or against latents
 * of random directions with documents, positions and targets of their own.
 */
export const Comparison = z.strictObject({
  control: z.string(),
  paired: z.boolean(),
  /** Controls measured, and drawn: the measuring of a kind ends when enough have reached as far. */
  count: z.int(),
  planned: z.int(),
  /** Mean and standard deviation of the controls' mean effects. */
  mean: number,
  deviation: number,
  /** Quantiles α/2 and 1 − α/2 of the controls' mean effects. */
  spread: z.strictObject({ low: number, high: number }),
  difference: number,
  low: number,
  high: number,
  interval: IntervalMethod,
  /** Share of controls whose mean effect reaches less far. */
  percentile: number,
  z: number,
  /** What counts as reaching far. */
  alternative: z.enum(['greater', 'less', 'two-sided']),
  p: number,
  /** Controls that p was read from, the first ones. */
  used: z.int(),
  /** `stopped`: by the place of the control that ended the measuring; `rank`: by the rank among all; `tail`: by a fitted tail; `bound`: where another kind ended it, as if all that were not measured reached as far; `look`: 1, the claim was given up after part of its documents. */
  method: z.enum(['rank', 'stopped', 'tail', 'bound', 'look']),
  /** How far the rank test asks the mean effect to reach at level alpha. */
  critical: number,
})
export type Comparison = z.infer<typeof Comparison>

const MetricEvidence = z.strictObject({ effect: EffectSummary, controls: z.array(Comparison) })

export const InterventionEvidence = z.strictObject({
  dose: z.number(),
  /** Mean ‖Δx‖ at the edited positions. */
  norm: number,
  metrics: z.strictObject({ target: MetricEvidence, loss: MetricEvidence, kl: MetricEvidence }),
  /** Test of the target against all required controls: the largest of their p-values. */
  test: z.strictObject({
    family: z.string(),
    size: z.int(),
    p: number,
    q: number,
    direction: z.enum(['increase', 'decrease']),
    asClaimed: z.boolean(),
  }),
  /** Power of the rule that the verdict follows from; only of the claim's primary intervention. */
  power: z
    .strictObject({
      /** Largest p that passes, of what other claims leave of alpha. */
      effectiveAlpha: z.number(),
      atSmallestEffect: z.number(),
      minimumDetectableEffect: number,
    })
    .nullable(),
})
export type InterventionEvidence = z.infer<typeof InterventionEvidence>

export const Selectivity = z.strictObject({
  concept: z.string(),
  discoveryAuroc: number,
  auroc: number,
  low: number,
  high: number,
  /** DeLong's interval, which takes tokens as independent. */
  deLong: z.strictObject({ low: number, high: number }),
  tokens: z.int(),
  positives: z.int(),
  documents: z.int(),
  /** Best AUROC of any latent under each dealing of the labels to other documents. */
  nullMaxima: z.array(z.number()),
  p: number,
  q: number,
  verdict: Verdict,
  reason: z.string(),
})
export type Selectivity = z.infer<typeof Selectivity>

/** The effect within one value of a stratum, and its ratio to the pooled effect. */
export const StratumEffect = z.strictObject({
  intervention: z.enum(['ablate', 'steer']),
  field: z.string(),
  value: z.string(),
  documents: z.int(),
  mean: number,
  low: number,
  high: number,
  ratio: number,
  ratioLow: number,
  ratioHigh: number,
})
export type StratumEffect = z.infer<typeof StratumEffect>

export const DosePoint = z.strictObject({
  dose: z.number(),
  target: EffectSummary,
  loss: EffectSummary,
  kl: EffectSummary,
})

/** Everything found about one latent. */
export const FeatureEvidence = z.strictObject({
  claim: Claim,
  verdict: Verdict,
  reasons: z.array(z.string()),
  causal: z.strictObject({ verdict: Verdict, reason: z.string() }),
  selectivity: Selectivity.nullable(),
  ablate: InterventionEvidence.nullable(),
  steer: InterventionEvidence.nullable(),
  doseCurve: z.array(DosePoint),
  /** Spearman's correlation of dose and target within each document, averaged. */
  doseTrend: number,
  /** KL on text in which the latent is silent, steered at the claim's dose. */
  sideEffect: EffectSummary.nullable(),
  /** Largest |logit difference| with the hook installed and nothing added: 0. */
  sham: number,
  robustness: z.array(StratumEffect),
  /** The strata that the claim must hold in, and what would refute it. */
  strataHeld: z.array(StratumHeld),
  falsifiers: z.array(FalsifierFound),
  /** How far all of this goes, by which rule, and what would change it. */
  tier: TierFound,
  /** What further studies found, by their names. */
  studies: LatentFindings,
})
export type FeatureEvidence = z.infer<typeof FeatureEvidence>

/** What a finding is about, by content. */
export const Hashes = z.strictObject({ model: z.string(), sae: z.string(), dataset: z.string() })
export type Hashes = z.infer<typeof Hashes>

/** A document that is nearly another one, by the name of that one. */
const NearDuplicate = { document: z.string(), split: z.string(), copyOf: z.string() }

/** The windows of each split that were read; the splits share no document, neither by name nor by near-duplicate. */
export const Splits = z.strictObject({
  discovery: z.array(z.string()),
  validation: z.array(z.string()),
  outOfDistribution: z.array(z.string()),
  nearDuplicates: z.strictObject({
    /** Jaccard index of the sets of runs of so many tokens from which two documents are nearly the same. */
    threshold: z.number(),
    shingle: z.int(),
    /** How many documents were left out of a split, being nearly in an earlier one, and the first of them by name. */
    dropped: z.int(),
    droppedDocuments: z.array(z.strictObject({ ...NearDuplicate, keptIn: z.string() })),
    /** How many documents count as another one of their split, and the first of them by name. */
    merged: z.int(),
    mergedDocuments: z.array(z.strictObject(NearDuplicate)),
  }),
})
export type Splits = z.infer<typeof Splits>

/** Version of evidence.json: readers refuse others. */
export const evidenceSchema = 5

export const Evidence = z.strictObject({
  schema: z.literal(evidenceSchema),
  hashes: Hashes,
  site: z.string(),
  weightProcessing: z.literal('none'),
  seed: z.number(),
  config: z.record(z.string(), z.unknown()),
  definitions: z.record(z.string(), z.string()),
  claims: ClaimsSource,
  splits: Splits,
  /** Strata of the validation documents that interventions were measured on. */
  strata: z.record(z.string(), z.record(z.string(), z.string())),
  reconstruction: z.record(z.string(), z.unknown()),
  features: z.array(FeatureEvidence),
  /** What studies found of the SAE as a whole, by their names. */
  studies: SaeFindings,
})
export type Evidence = z.infer<typeof Evidence>

/** Reads and checks an evidence file; a `UserError` where it is missing, of another version or malformed. */
export async function readEvidence(path: string): Promise<Evidence> {
  const value = await readJson(path, 'evidence file')
  const result = Evidence.safeParse(value)
  if (result.success) return result.data
  const fix = 'Make it again with pipeline validate, or read it with the version that wrote it.'
  const { schema } = value !== null && typeof value === 'object' ? (value as { schema?: unknown }) : {}
  if (Number.isSafeInteger(schema) && schema !== evidenceSchema)
    throw new UserError(
      `The evidence file ${path} has the schema ${schema}, where this version reads ${evidenceSchema}.`,
      { fix },
    )
  const issue = result.error.issues[0]!
  throw new UserError(
    `The evidence file ${path} is not valid at ${issue.path.join('.') || 'its top'}: ${issue.message}.`,
    { fix },
  )
}

/** What other stages show of a latent's evidence: the primary intervention and what it did to the target. */
export const EvidenceSummary = z.strictObject({
  verdict: Verdict,
  tier: Tier,
  /** The rule that gave the verdict: pass asks for q ≤ α among the family and, over documents, more than the smallest effect. */
  rule: z.strictObject({
    correction: z.literal('benjamini-hochberg'),
    family: z.int(),
    alpha: z.number(),
    smallestEffect: z.number(),
    power: z.number(),
    /** Controls of each kind that had to be beaten. */
    controls: z.record(z.string(), z.int()),
  }),
  intervention: z.enum(['ablate', 'steer']),
  /** Strength of steering, in units of the latent's p99 activation; null for ablation. */
  dose: number,
  /** The claimed concept; null where the claim is about what follows the latent's own activations. */
  concept: z.string().nullable(),
  /** Documents that the effect is a mean over. */
  documents: z.int().min(0),
  metric: z.string(),
  effect: number,
  effectLow: number,
  effectHigh: number,
  /** The effect less that of other latents at equal norm. */
  controlRelativeEffect: number,
  p: number,
  q: number,
})
export type EvidenceSummary = z.infer<typeof EvidenceSummary>

/** The primary intervention's figures by latent. */
export function evidenceByLatent(evidence: Evidence): Map<number, EvidenceSummary> {
  return new Map(
    evidence.features.map(({ claim, verdict, tier, ...feature }) => {
      const primary = feature[claim.primary]
      const effect = primary?.metrics.target.effect
      const foreign = primary?.metrics.target.controls.find(({ control }) => control === 'foreign')
      return [
        claim.feature,
        {
          verdict,
          tier: tier.tier,
          rule: {
            correction: 'benjamini-hochberg' as const,
            family: primary?.test.size ?? 0,
            alpha: claim.alpha,
            smallestEffect: claim.smallestEffect,
            power: claim.power,
            controls: claim.controls,
          },
          intervention: claim.primary,
          dose: claim.primary === 'steer' ? claim.dose : null,
          concept: claim.concept,
          documents: effect?.documents ?? 0,
          metric: claim.metric,
          effect: effect?.mean ?? null,
          effectLow: effect?.low ?? null,
          effectHigh: effect?.high ?? null,
          controlRelativeEffect: foreign?.difference ?? null,
          p: primary?.test.p ?? null,
          q: primary?.test.q ?? null,
        },
      ]
    }),
  )
}
