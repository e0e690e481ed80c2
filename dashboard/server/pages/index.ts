/** The pages of the server. */
import { featurePage } from './feature.ts'
import { featuresPage } from './features.ts'
import type { PageRoute } from './page.ts'
import { runPage } from './run.ts'
import { runsPage } from './runs.ts'

export const pages: readonly PageRoute[] = [runsPage, runPage, featuresPage, featurePage]
