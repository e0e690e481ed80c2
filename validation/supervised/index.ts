/** The supervised directions, by name. */
import { differenceOfMeans } from './difference-of-means.ts'
import { gradient } from './gradient.ts'
import { probe } from './probe.ts'
import type { Supervised } from './supervised.ts'

export type { Labelled, Supervised } from './supervised.ts'

export const supervised: readonly Supervised[] = [differenceOfMeans, probe, gradient]
