/** One feature: its record and evidence, examples, effects on logits, neighbours, and whether other SAEs have it. */
import { z } from 'zod'
import { FeatureEvidence } from '../../../validation/evidence.ts'
import { number, pageEnd, pageOf, Row, reads, Source, whole } from '../contract.ts'
import { ShownLabel } from './play.ts'

/** A label, with what must be known to believe it. */
export const Label = z.strictObject({
  text: z.string(),
  kind: z.string(),
  /** The score that made it the label, on text that did not suggest it, with a 95 % interval where there is one. */
  scoreName: z.string(),
  score: number,
  scoreLow: number,
  scoreHigh: number,
  /** Share of the latent's activation that the label covers. */
  coverage: number,
  /** `rule`, or the language model that wrote it. */
  madeBy: z.string(),
  /** Of the rule. */
  precision: number,
  recall: number,
  f1: number,
  baseRate: number,
  /** What the causal test of the latent said; `not-run` where there was none. */
  verdict: z.string(),
  tier: z.string().nullable(),
  stability: number,
  source: Source,
})

const Token = z.strictObject({ token: z.string(), effect: z.number() })

export const feature = reads({
  name: 'feature',
  path: '/api/runs/{run}/features/{latent}',
  summary: 'One feature: its record, its label with what speaks for it, examples, and all its evidence',
  answer: z.strictObject({
    /** The row of features.parquet. */
    feature: Row,
    /** Null where no rule describes it well enough. */
    label: Label.nullable(),
    /** Activation histogram: edges, one more than counts. */
    histogram: z.strictObject({ edges: z.array(z.number()), counts: z.array(z.int()) }),
    /** The first examples of each group. */
    examples: z.array(Row),
    /** Groups of examples there are, and how many each holds. */
    groups: z.array(z.strictObject({ group: z.string(), count: z.int() })),
    /** Null where it was not tested: `command` says what would. */
    evidence: FeatureEvidence.nullable(),
    evidenceRun: z.string().nullable(),
    command: z.string().nullable(),
    /** Latents before and after it in the table. */
    previous: z.int().nullable(),
    following: z.int().nullable(),
    source: Source,
  }),
})

export const examples = reads({
  name: 'examples',
  path: '/api/runs/{run}/features/{latent}/examples',
  summary:
    'Examples of a feature by group: the strongest, some of each band of its range, and text on which it is silent',
  query: z.strictObject({
    group: z.string().optional().describe('Only examples of this group'),
    ...pageOf(500, 50),
  }),
  answer: z.strictObject({
    examples: z.array(Row),
    groups: z.array(z.strictObject({ group: z.string(), count: z.int() })),
    ...pageEnd,
  }),
})

export const logits = reads({
  name: 'logits',
  path: '/api/runs/{run}/features/{latent}/logits',
  summary: 'Which tokens a feature promotes and suppresses directly, and which its claim weighs',
  answer: z.strictObject({
    /** Decoder row times unembedding, largest first. */
    promoted: z.array(Token),
    suppressed: z.array(Token),
    /** The measured effect on the claim's target, of the primary intervention; null where it was not tested. */
    target: z
      .strictObject({
        intervention: z.string(),
        tokens: z.array(z.strictObject({ token: z.int(), weight: z.number() })),
        effect: number,
        low: number,
        high: number,
        documents: z.int(),
      })
      .nullable(),
  }),
})

export const neighbours = reads({
  name: 'neighbours',
  path: '/api/runs/{run}/features/{latent}/neighbours',
  summary:
    'The latents of the same SAE whose decoder rows are nearest by cosine: from the table where it holds so many, else computed from the weights',
  query: z.strictObject({ count: whole(1, 100).default(10).describe('Latents to give') }),
  answer: z.strictObject({
    /** The run of the SAE; null where it is none of this store. */
    sae: z.string().nullable(),
    from: z.enum(['table', 'weights']),
    neighbours: z.array(
      z.strictObject({
        latent: z.int(),
        cosine: z.number(),
        label: ShownLabel.nullable(),
        density: number,
      }),
    ),
  }),
})

export const stability = reads({
  name: 'stability',
  path: '/api/runs/{run}/features/{latent}/stability',
  summary: 'Whether other SAEs have the feature: the stability joined to the labels, and siblings put to the same test',
  answer: z.strictObject({
    /** |cosine| with its partner in the SAE that the labels were compared with; null without a comparison. */
    cosine: number,
    /** Share of this SAE's latents with a |cosine| of at least the one given, for scale. */
    scale: z.array(z.strictObject({ atLeast: z.number(), share: z.number() })),
    /** Latents that have one: what the shares are of. */
    compared: z.int(),
    siblings: z.array(Row),
    /** The validate run that put the siblings to the test; null without one. */
    evidenceRun: z.string().nullable(),
    /** What would compare it with another SAE, where nothing was compared. */
    command: z.string().nullable(),
  }),
})

/** A share with its interval; null where there is nothing to divide by, or one document alone. */
const Share = z.strictObject({ value: number, low: number, high: number })
export type Share = z.output<typeof Share>

export const RocPoint = z.strictObject({
  /** A token is called where the activation is at least this. */
  threshold: z.number(),
  truePositives: z.int(),
  falsePositives: z.int(),
  /** Share of the concept's tokens that are called, of called tokens that carry it, and of other tokens that are called. */
  recall: Share,
  precision: Share,
  falseAlarms: z.number(),
})
export type RocPoint = z.output<typeof RocPoint>

export const roc = reads({
  name: 'roc',
  path: '/api/runs/{run}/features/{latent}/roc',
  summary:
    'How well a feature tells its claim’s concept at each threshold, from the raw activations of its validation text: recall and precision with intervals over documents',
  answer: z.strictObject({
    concept: z.string(),
    evidenceRun: z.string(),
    tokens: z.int(),
    positives: z.int(),
    documents: z.int(),
    /** Over all thresholds, from the same values. */
    auroc: number,
    /** By falling threshold, at most 120 of them: tokens count as called from it on. */
    points: z.array(RocPoint),
  }),
})
