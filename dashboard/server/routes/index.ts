/** The routes of the API. */
import type { Route } from '../route.ts'
import effects from './effects.ts'
import evidence from './evidence.ts'
import feature from './feature.ts'
import features from './features.ts'
import lineage from './lineage.ts'
import metrics from './metrics.ts'
import run from './run.ts'
import runs from './runs.ts'

export const routes: readonly Route[] = [runs, run, lineage, metrics, features, feature, evidence, effects]
