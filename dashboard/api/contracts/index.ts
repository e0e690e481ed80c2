/** The contracts of the API. */
import type { Contract } from '../contract.ts'
import { drift } from './drift.ts'
import { claims, compare, effects, evidence, tests } from './evidence.ts'
import { examples, feature, logits, neighbours, roc, stability } from './feature.ts'
import { columns, exported, features, histogram } from './features.ts'
import { curves, live, metrics } from './metrics.ts'
import { continued, fires, play, session } from './play.ts'
import { diff, graph, lineage, run, runs, verify } from './runs.ts'

export const contracts: readonly Contract[] = [
  ...[session, runs, run, verify, diff, lineage, graph, metrics, curves, live],
  ...[features, exported, columns, histogram, feature, examples, logits, neighbours, stability, roc],
  ...[evidence, tests, effects, claims, drift, compare, fires, play, continued],
]
