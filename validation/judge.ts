/** From all raw values to all findings: the main test first, then the studies that were done. A pure function. */

import type { SaeFindings } from './contracts/index.ts'
import type { FeatureEvidence } from './evidence.ts'
import { assemble } from './judging/assemble.ts'
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
    features.map((evidence, i) => ({ effects: measured[i]!.rows, evidence })),
    settings,
  )
  return { features: features.map((feature, i) => ({ ...feature, studies: found.latents[i]! })), studies: found.sae }
}
