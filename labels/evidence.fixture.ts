/** Evidence and feature records made up for tests of what shows and joins them. */
import type { Evidence, FeatureEvidence, Hashes, InterventionEvidence } from '../validation/evidence.ts'
import type { Feature } from './feature.ts'

export const madeUpHashes: Hashes = { sae: 'sae-hash', model: 'model-hash', dataset: 'dataset-hash' }

/** What is to be known of a latent; the rest is filled in. */
export interface MadeUp {
  readonly feature: number
  readonly primary?: 'ablate' | 'steer'
  readonly concept?: string | null
  readonly verdict?: FeatureEvidence['verdict']
  readonly effect?: number
}

/** A whole evidence file about these latents. */
export function evidenceOf(features: readonly MadeUp[], hashes: Hashes = madeUpHashes): Evidence {
  return {
    schema: 5,
    hashes,
    site: 'blocks.0.hook_resid_post',
    weightProcessing: 'none',
    seed: 0,
    config: {},
    definitions: { target: 'what is measured' },
    claims: { sha256: 'claims', file: null },
    splits: {
      ...{ discovery: ['a'], validation: ['b'], outOfDistribution: [] },
      nearDuplicates: { threshold: 0.8, shingle: 5, dropped: 0, droppedDocuments: [], merged: 0, mergedDocuments: [] },
    },
    strata: {},
    studies: {},
    reconstruction: { fvu: 0.1, dead: 3, tokens: 4000 },
    features: features.map(featureEvidenceOf),
  }
}

/** What evidence says of one latent. */
export function featureEvidenceOf({
  feature,
  primary = 'ablate',
  concept = null,
  verdict = 'pass',
  effect = 0.5,
}: MadeUp): FeatureEvidence {
  const found = interventionOf(effect, primary)
  return {
    claim: {
      feature,
      stated: 'settings',
      concept,
      hypothesis: `Latent ${feature} does something.`,
      metric: 'target',
      primary,
      direction: primary === 'ablate' ? 'decrease' : 'increase',
      smallestEffect: 0.05,
      alpha: 0.05,
      power: 0.8,
      controls: { foreign: 19 },
      strata: {},
      falsifiers: [],
      target: { source: 'activations', separation: 1, counted: { concept: 1, rest: 1 }, tokens: [] },
      discovery: { density: 0.1, auroc: null, unit: 1, maximum: 2, held: 1 },
      selection: null,
      dose: 1,
      doses: [0, 1],
      documents: { ablate: ['b'], steer: ['b'] },
    },
    verdict,
    reasons: ['it does'],
    causal: { verdict, reason: 'it does' },
    selectivity: null,
    ablate: primary === 'ablate' ? found : null,
    steer: primary === 'steer' ? found : null,
    doseCurve: [],
    doseTrend: null,
    sideEffect: null,
    sham: 0,
    robustness: [],
    strataHeld: [],
    falsifiers: [],
    tier: { tier: 'supported', rule: 'lines-missing', lines: [], wouldChange: [] },
    studies: {},
  }
}

function interventionOf(mean: number, primary: 'ablate' | 'steer'): InterventionEvidence {
  const effect = {
    documents: 12,
    mean,
    low: mean - 0.1,
    high: mean + 0.1,
    interval: 't',
    dz: 1,
    g: 1,
    p: 0.01,
  } as const
  const control = {
    ...{
      control: 'foreign',
      count: 19,
      mean: 0,
      deviation: 0.1,
      spread: { low: -0.3, high: 0.15 },
      difference: mean,
      low: mean - 0.1,
      high: mean + 0.1,
    },
    ...{
      paired: true,
      interval: 't' as const,
      percentile: 1,
      z: 5,
      alternative: 'less' as const,
      p: 0.05,
      ...{ planned: 99, used: 99, method: 'rank' as const },
      critical: 0.2,
    },
  }
  const metric = { effect, controls: [control] }
  return {
    dose: primary === 'steer' ? 1 : 0,
    norm: 1,
    metrics: { target: metric, loss: metric, kl: metric },
    test: { family: 'x', size: 1, p: 0.05, q: 0.05, direction: 'increase', asClaimed: true },
    power: { effectiveAlpha: 0.05, atSmallestEffect: 0.9, minimumDetectableEffect: 0.1 },
  }
}

/** A latent's record with a token as its rule. */
export const featureOf = (latent: number, more: Partial<Feature> = {}): Feature => ({
  latent,
  label: `“w${latent}”`,
  labelKind: 'token',
  labelScoreName: 'f1',
  labelScore: 0.85,
  labelScoreLow: null,
  labelScoreHigh: null,
  labelCoverage: 0.9,
  labelSource: 'rule',
  rule: { kind: 'token', tokens: [`w${latent}`], tokenIds: [latent], concept: null },
  labelPrecision: 0.9,
  labelRecall: 0.8,
  labelF1: 0.85,
  labelBaseRate: 0.01,
  explanation: null,
  density: 0.02,
  strata: [{ stratum: 'language=en', tokens: 100, density: 0.02 }],
  meanActivation: 1,
  maxActivation: 4,
  histogram: { edges: [0, 2, 4], counts: [3, 1] },
  windows: 0.5,
  meanRun: 1,
  distinctTokens: 1,
  tokens: [{ token: `w${latent}`, tokenId: latent, fires: 4, occurs: 5, share: 1 }],
  previousTokens: [],
  promoted: [{ token: '<b>', effect: 2 }],
  suppressed: [],
  logitHistogram: null,
  nearest: [],
  together: [],
  stability: null,
  evidence: null,
  hashes: madeUpHashes,
  ...more,
})

/** What a test of a latent found. */
export const testedAs = (more: Partial<NonNullable<Feature['evidence']>> = {}): NonNullable<Feature['evidence']> => ({
  verdict: 'fail',
  tier: 'refuted',
  rule: {
    correction: 'benjamini-hochberg',
    family: 1,
    alpha: 0.05,
    smallestEffect: 0.05,
    power: 0.8,
    controls: { foreign: 19 },
  },
  intervention: 'ablate',
  dose: null,
  concept: null,
  documents: 12,
  metric: 'target',
  effect: 0,
  effectLow: 0,
  effectHigh: 0,
  controlRelativeEffect: 0,
  p: 1,
  q: 1,
  ...more,
})
