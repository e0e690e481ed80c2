/**
 * The playground: which features fire on a text, what an edit of them does to what follows, and how the text goes on. The model
 * runs in a process of its own, one question at a time; of questions that wait, the newest is answered.
 */
import { z } from 'zod'
import { computes, number, reads } from '../contract.ts'

/** Bounds of what may be asked (characters, tokens, edits, rows). */
export const bounds = { characters: 8000, tokens: 512, edits: 64, continued: 64, controls: 16 } as const

const sae = z.string().describe('A train or import run')
const text = z.string().min(1).max(bounds.characters).describe(`Text of at most ${bounds.tokens} tokens`)
const count = (most: number) => z.int().min(1).max(most)

/** A label with what must be known to believe it, in short. */
export const ShownLabel = z.strictObject({
  text: z.string(),
  scoreName: z.string(),
  score: number,
  coverage: number,
  verdict: z.string(),
  tier: z.string().nullable(),
  run: z.string(),
})

export const PlayToken = z.strictObject({ id: z.int(), text: z.string() })

export const fires = computes({
  name: 'fires',
  path: '/api/play/features',
  summary: 'Which features fire on a text, at which tokens and how strongly',
  body: z.strictObject({
    sae,
    text,
    order: z
      .enum(['sum', 'max', 'norm', 'specificity'])
      .default('max')
      .describe(
        'By summed activation, the largest, the largest times the decoder row’s length, or the largest by density',
      ),
    count: count(1000).default(50).describe('Features to give'),
    from: z.int().min(0).default(1).describe('First position that counts; position 0 is an attention sink'),
    to: z.int().min(0).optional().describe('Last position that counts'),
    densest: z.number().min(0).max(1).default(1).describe('Leave out features that fire more often than this'),
  }),
  answer: z.strictObject({
    sae: z.string(),
    site: z.string(),
    tokens: z.array(PlayToken),
    /** Latents that fire at all, before any are left out. */
    firing: z.int(),
    features: z.array(
      z.strictObject({
        latent: z.int(),
        sum: z.number(),
        max: z.number(),
        /** Position of the largest, and all activations: positions and values. */
        peak: z.int(),
        positions: z.array(z.int()),
        values: z.array(z.number()),
        norm: z.number(),
        density: number,
        maxActivation: number,
        label: ShownLabel.nullable(),
      }),
    ),
    seconds: z.number(),
  }),
})

/** One edit of a feature. `f` is what the latent says at a position, `m` its largest activation. */
export const PlayEdit = z.strictObject({
  latent: z.int().min(0),
  kind: z.enum(['ablate', 'set', 'scale', 'add']).describe('f′ = 0; strength·m; strength·f; f + strength·m'),
  strength: z.number().min(-100).max(100).default(1).describe('In multiples of m, and of f for scale'),
  positions: z
    .union([z.enum(['active', 'all']), z.array(z.int().min(1)).min(1).max(bounds.tokens)])
    .default('active')
    .describe('Where it fires, everywhere but at position 0, or at these positions'),
})

const Metric = z.strictObject({
  target: z.string().min(1).describe('A token'),
  distractor: z.string().min(1).optional().describe('Another token, whose logit is subtracted'),
})

export const Next = z.strictObject({
  token: z.int(),
  text: z.string(),
  p: z.number(),
  /** Logit less that of the text as it is; 0 there. */
  change: z.number(),
  /** 1 for the likeliest. */
  rank: z.int(),
})

/** What the edit, or a control of equal norm, does. */
export const PlayRow = z.strictObject({
  kind: z.enum(['edit', 'random', 'foreign']),
  /** The foreign latent, or the number of the random direction. */
  id: z.int().nullable(),
  /** Mean ‖Δx‖ over edited positions: the same for the edit and its controls. */
  norm: z.number(),
  /** Next-token table at the position that is looked at. */
  next: z.array(Next),
  /** Target less distractor, at that position; and its change. Null without a metric. */
  metric: number,
  change: number,
  /** KL(as it is ‖ edited) at that position, and its mean from the first edited position on, nats. */
  kl: z.number(),
  meanKl: z.number(),
})

const playBody = z.strictObject({
  sae,
  text,
  edits: z.array(PlayEdit).max(bounds.edits).default([]),
  random: count(bounds.controls).default(1).describe('Random directions of equal norm'),
  foreign: count(bounds.controls).default(1).describe('Other latents that fire on the text, at equal norm'),
  seed: z.int().min(0).default(0).describe('Seed of the controls'),
})

export const play = computes({
  name: 'play',
  path: '/api/play/edit',
  summary:
    'What an edit of features does to the next token, beside random directions and other latents of equal norm: all rows of one batch from the stored residual of the text',
  body: playBody.extend({
    metric: Metric.optional(),
    position: z.int().min(0).optional().describe('Where the next token is looked at (default: the last position)'),
    top: count(100).default(10).describe('Tokens of a table'),
    frozen: z
      .boolean()
      .default(false)
      .describe('Also do all of it with every attention pattern behind the site held as it is on the text'),
  }),
  answer: z.strictObject({
    sae: z.string(),
    site: z.string(),
    tokens: z.array(PlayToken),
    position: z.int(),
    /** What each edit did: its m (null where no label run tells it) and where that is from, and the edited positions with f and f′. */
    edits: z.array(
      z.strictObject({
        latent: z.int(),
        unit: number,
        unitFrom: z.string(),
        positions: z.array(z.int()),
        before: z.array(z.number()),
        after: z.array(z.number()),
      }),
    ),
    base: z.strictObject({ next: z.array(Next), metric: number }),
    rows: z.array(PlayRow),
    /** The same rows with attention patterns held as they are on the text; null where that was not asked. */
    frozen: z.array(PlayRow).nullable(),
    /** The metric's tokens as the tokenizer has them. */
    metric: z.strictObject({ target: PlayToken, distractor: PlayToken.nullable() }).nullable(),
    seconds: z.number(),
  }),
})

export const continued = computes({
  name: 'continued',
  path: '/api/play/continue',
  summary:
    'How a text goes on (the likeliest token, again and again, or drawn with a seed) as it is, with an edit, and with controls of equal norm',
  body: playBody.extend({
    length: count(bounds.continued).default(16).describe('Tokens to add'),
    temperature: z
      .number()
      .min(0)
      .max(10)
      .default(0)
      .describe('0 takes the likeliest token; else tokens are drawn, at each step with one number for all rows'),
  }),
  answer: z.strictObject({
    sae: z.string(),
    tokens: z.array(PlayToken),
    continuations: z.array(
      z.strictObject({
        kind: z.enum(['base', 'edit', 'random', 'foreign']),
        id: z.int().nullable(),
        tokens: z.array(PlayToken),
        text: z.string(),
      }),
    ),
    seconds: z.number(),
  }),
})

export const session = reads({
  name: 'session',
  path: '/api/session',
  summary: 'What this server is and can do, and what a page of it must send with a POST',
  answer: z.strictObject({
    version: z.string(),
    store: z.string(),
    /** Whether it computes: features on a text, edits, neighbours, comparisons. */
    computes: z.boolean(),
    bounds: z.record(z.string(), z.number()),
    /** Value of the header x-pipeline-session that a POST with the cookie needs; the token as a bearer needs none. */
    session: z.string(),
  }),
})
