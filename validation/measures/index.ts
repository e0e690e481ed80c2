/** The measures, by name. Each has its findings in contracts/measures.ts. */
import { absorption } from './absorption.ts'
import type { Measure } from './measure.ts'
import { probing } from './probing.ts'
import { ravel } from './ravel-measure.ts'

export const measures = { probing, absorption, ravel } as const
/** The measures as one list. */
export const allMeasures: readonly Measure[] = Object.values(measures) as unknown as readonly Measure[]
