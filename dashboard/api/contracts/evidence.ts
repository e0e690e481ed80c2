/** Evidence of validate runs: whole, every test of it, raw values; claims over all runs; and two SAEs compared. */
import { z } from 'zod'
import { Evidence } from '../../../validation/evidence.ts'
import { number, pageEnd, pageOf, Row, reads, Source, several, whole } from '../contract.ts'
import { ShownLabel } from './play.ts'

export const evidence = reads({
  name: 'evidence',
  path: '/api/runs/{run}/evidence',
  summary: 'The whole evidence of a validate run: claims, statistics, controls, verdicts',
  answer: Evidence,
})

export const Test = z.strictObject({
  feature: z.int(),
  /** What was done: the main test of an intervention, a dose, a stratum, the side effect on silent text, or a study. */
  kind: z.enum(['main', 'dose', 'stratum', 'side-effect', 'study']),
  /** Name of the study, or `field=value` of the stratum. */
  name: z.string().nullable(),
  intervention: z.string().nullable(),
  dose: number,
  metric: z.string(),
  /** Kind of control that the estimate is against; null for the latent's own effect. */
  control: z.string().nullable(),
  /** Whether it was stated before anything was measured. */
  registered: z.boolean(),
  estimate: number,
  low: number,
  high: number,
  /** Mean effect of the controls and the quantiles α/2 and 1 − α/2 of their mean effects. */
  controls: z.strictObject({ mean: number, low: number, high: number, count: z.int() }).nullable(),
  documents: z.int().nullable(),
  /** Standardised effect over documents (Cohen's d_z). */
  dz: number,
  p: number,
  q: number,
  smallestEffect: number,
  minimumDetectableEffect: number,
  source: Source,
})

export const tests = reads({
  name: 'tests',
  path: '/api/runs/{run}/tests',
  summary: 'Every test of a validate run as rows: estimate, interval, controls, n, p and q, and where each is from',
  query: z.strictObject({
    feature: whole(0, 1e9).optional().describe('Only tests of this latent'),
    kind: several.describe('Only tests of these kinds'),
    ...pageOf(10_000, 1000),
  }),
  answer: z.strictObject({
    tests: z.array(Test),
    ...pageEnd,
    /** What each metric and statistic is, by name. */
    definitions: z.record(z.string(), z.string()),
  }),
  table: 'tests',
})

export const effects = reads({
  name: 'effects',
  path: '/api/runs/{run}/effects',
  summary: 'Raw values of a validate run: a row an edit of a document',
  query: z.strictObject({
    feature: whole(0, 1e9).optional().describe('Only rows of this latent'),
    control: z.string().optional().describe('Only rows of this control, or `feature` for the latent itself'),
    intervention: z.string().optional().describe('Only rows of this intervention'),
    where: several.describe('Further conditions on columns'),
    offset: whole(0, 1e9).optional().describe('Rows to leave out; not with a cursor'),
    ...pageOf(100_000, 1000),
  }),
  answer: z.strictObject({ effects: z.array(Row), ...pageEnd }),
  table: 'effects',
})

export const ClaimLine = z.strictObject({
  run: z.string(),
  started: z.string(),
  feature: z.int(),
  hypothesis: z.string(),
  concept: z.string().nullable(),
  /** `file`: stated before the run; `settings`: made by it, before it measured. */
  stated: z.string(),
  intervention: z.string(),
  direction: z.string(),
  verdict: z.string(),
  tier: z.string(),
  reasons: z.array(z.string()),
  /** What would change the tier. */
  wouldChange: z.array(Row),
  effect: number,
  low: number,
  high: number,
  documents: z.int(),
  p: number,
  q: number,
  alpha: z.number(),
  smallestEffect: z.number(),
  minimumDetectableEffect: number,
  /** Power at the smallest effect of interest. */
  power: number,
  family: z.int(),
  /** Among all runs of the same SAE: how many tested this latent, the q over them and for the runs without a pass, and the verdict that stands, with the tier that it allows. */
  runs: z.int(),
  earlier: z.int(),
  qAcross: number,
  standing: z.string(),
  standingTier: z.string(),
})

/** The main tests of one intervention in a run: p sorted, and Benjamini and Hochberg's line beside it. */
export const Family = z.strictObject({
  run: z.string(),
  family: z.string(),
  size: z.int(),
  alpha: z.number(),
  p: z.array(z.number()),
  line: z.array(z.number()),
  /** Kolmogorov–Smirnov distance of the p from uniform, and its p: what a family of true nulls would show. */
  uniformity: z.strictObject({ distance: z.number(), p: z.number() }).nullable(),
})

export const claims = reads({
  name: 'claims',
  path: '/api/claims',
  summary:
    'Claims of all validate runs with their verdicts, families of tests, and what stands over all runs of an SAE',
  query: z.strictObject({
    run: z.string().optional().describe('Only claims of this run'),
    verdict: z.string().optional().describe('Only claims with this verdict'),
    ...pageOf(5000, 500),
  }),
  answer: z.strictObject({
    claims: z.array(ClaimLine),
    families: z.array(Family),
    counts: z.record(z.string(), z.int()),
    /** Runs that are not counted, and why. */
    unreadable: z.array(z.strictObject({ run: z.string(), reason: z.string() })),
    ...pageEnd,
  }),
})

/** One of two SAEs that are compared. */
export const ComparedSae = z.strictObject({
  run: z.string(),
  architecture: z.string().nullable(),
  site: z.string().nullable(),
  latents: z.int(),
  summary: Row,
  /** The label run whose densities and labels are shown; null without one. */
  labels: z.string().nullable(),
})

export const compare = reads({
  name: 'compare',
  path: '/api/compare',
  summary:
    'Two SAEs: settings that differ, latents matched one to one by decoder cosine, and those that have no partner',
  query: z.strictObject({
    a: z.string().describe('A train or import run'),
    b: z.string().describe('Another one, whose SAE writes to the same width'),
    threshold: z.coerce.number().min(0).max(1).default(0.7).describe('|cosine| from which latents count as the same'),
    part: z.enum(['matched', 'only-a', 'only-b', 'split']).default('matched').describe('Which latents to list'),
    ...pageOf(5000, 200),
  }),
  answer: z.strictObject({
    a: ComparedSae,
    b: ComparedSae,
    differences: z.array(z.strictObject({ key: z.string(), a: z.unknown(), b: z.unknown() })),
    notices: z.array(z.string()),
    /** Mean |cosine| over the best one-to-one matching, and what no matching exceeds: equal where the matching is exact. */
    mcc: z.number(),
    mccBound: z.number(),
    exact: z.boolean(),
    threshold: z.number(),
    shared: z.number(),
    /** The share found when the coordinates of B's rows are permuted, and the share's rank among such draws. */
    null: z.array(z.number()),
    p: number,
    /** |cosine| of matched latents: edges, one more than counts. */
    histogram: z.strictObject({ edges: z.array(z.number()), counts: z.array(z.int()) }),
    /** `split`: latents of A to which several latents of B are nearest, at the threshold or above, with these. */
    latents: z.array(
      z.strictObject({
        a: z.int().nullable(),
        b: z.int().nullable(),
        cosine: number,
        densityA: number,
        densityB: number,
        effectA: number,
        effectB: number,
        verdictA: z.string().nullable(),
        verdictB: z.string().nullable(),
        labelA: ShownLabel.nullable(),
        labelB: ShownLabel.nullable(),
      }),
    ),
    ...pageEnd,
  }),
})
