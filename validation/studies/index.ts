/** The studies, by name. Each has its evidence in contracts/index.ts under the same name. */
import type { LatentStudy, SaeStudy } from './study.ts'

export const latentStudies: readonly LatentStudy[] = []
export const saeStudies: readonly SaeStudy[] = []
