/** Gates: thresholds that finished evidence is held to. They change nothing in it. */
import { z } from 'zod'
import { atLeast, atMost, type Gate } from '../../core/gate.ts'
import type { Tier } from '../contracts/tier.ts'
import type { Evidence, FeatureEvidence } from '../evidence.ts'
import type { Standing } from './ledger.ts'

export const GatesConfig = z
  .strictObject({
    minimumPassed: z
      .int()
      .min(0)
      .optional()
      .describe('Latents that must pass, in the family of all runs that tested them'),
    minimumSupported: z.int().min(0).optional().describe('Latents whose claim must be supported or triangulated'),
    minimumTriangulated: z.int().min(0).optional().describe('Latents whose claim must be triangulated'),
    maximumRefuted: z.int().min(0).optional().describe('Most latents whose claim is refuted'),
    minimumTransfer: z
      .number()
      .optional()
      .describe('Smallest share of the effect on out-of-distribution text, in each latent that passes'),
    minimumIsolation: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('Smallest share of other concepts’ targets that an edit leaves alone, in each latent that passes'),
    maximumSideEffect: z
      .number()
      .min(0)
      .optional()
      .describe('Largest KL of steering where the latent is silent, in each latent that passes'),
    aheadOfBaselines: z.boolean().optional().describe('Whether more claims must pass than of every baseline'),
    maximumFvu: z.number().min(0).optional().describe('Largest fraction of variance unexplained'),
    minimumCeRecovered: z.number().max(1).optional().describe('Smallest CE recovered against mean ablation'),
  })
  .prefault({})
  .describe('Thresholds that set the exit code: 2 where one fails, 3 where one cannot be decided')
export type GatesConfig = z.output<typeof GatesConfig>

type Judged = Pick<Evidence, 'features' | 'reconstruction' | 'studies'>

/** The configured gates with their outcome; verdicts are those that stand among all runs, where the standings are given. */
export function judgeGates(
  gates: GatesConfig,
  { features, reconstruction, studies }: Judged,
  standings?: readonly Standing[],
): Gate[] {
  const verdictOf = (i: number) => standings?.[i]?.standing ?? features[i]!.verdict
  const passing = features.filter((_, i) => verdictOf(i) === 'pass')
  // A claim that could not be put to the test may yet pass with more text, as one may that was not decided.
  const open = features.filter((_, i) => ['inconclusive', 'not-run'].includes(verdictOf(i))).length
  const tierIn = (i: number) => standings?.[i]?.standingTier ?? features[i]!.tier.tier
  const tiers = (...wanted: Tier[]) => features.filter((_, i) => wanted.includes(tierIn(i))).length
  const { fvu, ceRecoveredMean } = reconstruction
  const ahead = { yes: 1, no: 0, undecided: null }[studies.baselines?.ahead ?? 'undecided']
  return [
    ...counted('minimumPassed', gates.minimumPassed, passing.length, open),
    ...counted('minimumSupported', gates.minimumSupported, tiers('supported', 'triangulated'), open),
    ...counted('minimumTriangulated', gates.minimumTriangulated, tiers('triangulated'), open + tiers('supported')),
    ...atMost('maximumRefuted', gates.maximumRefuted, tiers('refuted')),
    ...atLeast(
      'minimumTransfer',
      gates.minimumTransfer,
      worst(passing, ({ studies }) => studies.transfer?.ratio, Math.min),
    ),
    ...atLeast(
      'minimumIsolation',
      gates.minimumIsolation,
      worst(passing, ({ studies }) => studies.specificity?.isolation, Math.min),
    ),
    ...atMost(
      'maximumSideEffect',
      gates.maximumSideEffect,
      worst(passing, ({ sideEffect }) => sideEffect?.mean, Math.max),
    ),
    ...atLeast('aheadOfBaselines', gates.aheadOfBaselines === true ? 1 : undefined, ahead),
    ...atMost('maximumFvu', gates.maximumFvu, fvu),
    ...atLeast('minimumCeRecovered', gates.minimumCeRecovered, ceRecoveredMean),
  ]
}

/** So many must hold, and so many more may. */
function counted(name: string, threshold: number | undefined, value: number, open: number): Gate[] {
  if (threshold === undefined) return []
  const status = value >= threshold ? 'pass' : value + open >= threshold ? 'inconclusive' : 'fail'
  return [{ name, status, value, threshold }]
}

/** The worst value among latents; null where there is none, or one is not known. */
function worst(
  features: readonly FeatureEvidence[],
  valueIn: (feature: FeatureEvidence) => number | null | undefined,
  pick: (...values: number[]) => number,
): number | null {
  const values = features.map(valueIn)
  if (values.length === 0 || values.some(value => value === null || value === undefined)) return null
  return pick(...(values as number[]))
}
