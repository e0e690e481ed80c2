/** How the contracts are answered. */
import type { Route } from '../route.ts'
import claims from './claims.ts'
import compare from './compare.ts'
import drift from './drift.ts'
import { effectsRoute, evidenceRoute, testsRoute } from './evidence.ts'
import { examplesRoute, featureRoute, logitsRoute, neighboursRoute, rocRoute, stabilityRoute } from './feature.ts'
import { columnsRoute, exportedRoute, featuresRoute, histogramRoute } from './features.ts'
import { graphRoute, lineageRoute } from './lineage.ts'
import { curvesRoute, metricsRoute } from './metrics.ts'
import { continuedRoute, firesRoute, playRoute } from './play.ts'
import { diffRoute, runRoute, runsRoute, verifyRoute } from './runs.ts'
import session from './session.ts'

/** Every route that answers once; `live.ts` answers the stream. */
export const routes: readonly Route[] = [
  ...[session, runsRoute, runRoute, verifyRoute, diffRoute, lineageRoute, graphRoute, metricsRoute, curvesRoute],
  ...[
    featuresRoute,
    exportedRoute,
    columnsRoute,
    histogramRoute,
    featureRoute,
    examplesRoute,
    logitsRoute,
    neighboursRoute,
  ],
  ...[stabilityRoute, rocRoute, evidenceRoute, testsRoute, effectsRoute, claims, drift, compare],
  ...[firesRoute, playRoute, continuedRoute],
]
