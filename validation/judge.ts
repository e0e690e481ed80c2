/** From all raw values to all findings: the main test first, then the studies that were done. A pure function. */

import type { SaeFindings } from './contracts/index.ts'
import type { FeatureEvidence } from './evidence.ts'
import { assemble } from './judging/assemble.ts'
import { falsified, falsifierDecision } from './judging/conditions.ts'
import { tierOf } from './judging/tier.ts'
import { overall } from './judging/verdict.ts'
import type { Measured } from './rows.ts'
import { judgeStudies, type StudyRows } from './studies/run.ts'
import type { StudySettings } from './studies/study.ts'

/** What stands in evidence.json of features and SAE. */
export interface Judgement {
  readonly features: FeatureEvidence[]
  readonly studies: SaeFindings
}

/** Statistics, verdicts and what studies found, from raw values alone. */
export function judge(measured: readonly Measured[], studied: StudyRows, settings: StudySettings): Judgement {
  const features = assemble(measured, settings)
  const found = judgeStudies(
    studied,
    features.map((evidence, i) => ({
      // Made when a study asks for them: rows of many latents are too many to hold.
      get effects() {
        return measured[i]!.rows
      },
      evidence,
    })),
    settings,
  )
  return {
    features: features.map((feature, i) => {
      const decided = withFalsifiers({ ...feature, studies: found.latents[i]! })
      return { ...decided, tier: tierOf(decided) }
    }),
    studies: found.sae,
  }
}

/** The verdict once everything is known by which the claim says that it would be refuted. */
function withFalsifiers(feature: FeatureEvidence): FeatureEvidence {
  if (feature.verdict === 'not-run') return feature
  const falsifiers = falsified(feature)
  const decisions = falsifiers.flatMap(found => falsifierDecision(found) ?? [])
  return {
    ...feature,
    falsifiers,
    verdict: overall([{ verdict: feature.verdict, reason: '' }, ...decisions]),
    reasons: [...feature.reasons, ...decisions.map(({ reason }) => reason)],
  }
}
