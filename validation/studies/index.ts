/** The studies, by name. Each has its evidence in contracts/index.ts under the same name. */

import { allMeasures } from '../measures/index.ts'
import type { Measure } from '../measures/measure.ts'
import { association } from './association.ts'
import { baselinesStudy } from './baselines.ts'
import { ceiling } from './ceiling.ts'
import { controlsStudy } from './controls.ts'
import { dormant } from './dormant.ts'
import { doses } from './doses.ts'
import { halves } from './halves.ts'
import { heterogeneity } from './heterogeneity.ts'
import { interchange } from './interchange.ts'
import { interventions } from './interventions.ts'
import { negatives } from './negatives.ts'
import { output } from './output.ts'
import { robustness } from './robustness.ts'
import { sets } from './sets.ts'
import { siblings } from './siblings.ts'
import { specificity } from './specificity.ts'
import { type LatentStudy, type SaeStudy, saeStudy } from './study.ts'
import { transfer } from './transfer.ts'

export const latentStudies: readonly LatentStudy[] = [
  association as unknown as LatentStudy,
  dormant,
  doses,
  halves,
  heterogeneity,
  interchange,
  interventions,
  negatives,
  output,
  robustness,
  sets,
  siblings,
  specificity,
  transfer,
  ceiling as LatentStudy,
  controlsStudy as LatentStudy,
]

/** A measure of the SAE as a study of a validate run, on the text that it reads. */
const asStudy = ({ measure, judge, ...rest }: Measure): SaeStudy =>
  saeStudy({
    ...rest,
    byDefault: false,
    measure: ({ context, inputs, material, pause }) =>
      measure({
        ...{ context, inputs, pause },
        windows: { discovery: material.discovery.windows, validation: material.validation.windows },
      }),
    judge: rows => judge(rows),
  })

export const saeStudies: readonly SaeStudy[] = [baselinesStudy as unknown as SaeStudy, ...allMeasures.map(asStudy)]
