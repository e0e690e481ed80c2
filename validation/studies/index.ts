/** The studies, by name. Each has its evidence in contracts/index.ts under the same name. */
import { association } from './association.ts'
import { baselinesStudy } from './baselines.ts'
import { interchange } from './interchange.ts'
import { interventions } from './interventions.ts'
import type { LatentStudy, SaeStudy } from './study.ts'
import { transfer } from './transfer.ts'

export const latentStudies: readonly LatentStudy[] = [
  interventions as LatentStudy,
  interchange as LatentStudy,
  transfer as LatentStudy,
  association as unknown as LatentStudy,
]
export const saeStudies: readonly SaeStudy[] = [baselinesStudy as unknown as SaeStudy]
