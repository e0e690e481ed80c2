/** The pages of the server. */
import { claimsPage } from './claims.ts'
import { comparePage } from './compare.ts'
import { driftPage } from './drift.ts'
import { featurePage } from './feature.ts'
import { featuresPage } from './features.ts'
import { helpPage } from './help.ts'
import type { PageRoute } from './page.ts'
import { playPage } from './play.ts'
import { runPage } from './run.ts'
import { runsPage } from './runs.ts'
import { trainPage } from './train.ts'

export const pages: readonly PageRoute[] = [
  ...[runsPage, runPage, featuresPage, featurePage, trainPage, comparePage, claimsPage, driftPage, playPage, helpPage],
]
