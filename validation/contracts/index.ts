/** What studies say in evidence.json, by the study's name: of each tested latent, and of the SAE as a whole. */
import { z } from 'zod'
import { Association } from './association.ts'
import { BaselinesFindings } from './baselines.ts'
import { CeilingFound } from './ceiling.ts'
import { ControlsFound } from './controls.ts'
import { DormantFound } from './dormant.ts'
import { DosesFound } from './doses.ts'
import { Halves } from './halves.ts'
import { Heterogeneity } from './heterogeneity.ts'
import { InterchangeFound } from './interchange.ts'
import { InterventionsFound } from './interventions.ts'
import { AbsorptionFound, ProbingFound, RavelFound } from './measures.ts'
import { HardNegatives } from './negatives.ts'
import { OutputFound } from './output.ts'
import { Robustness } from './robustness.ts'
import { SetsFound } from './sets.ts'
import { Siblings } from './siblings.ts'
import { SpecificityFound } from './specificity.ts'
import { Transfer } from './transfer.ts'

/** Null where a study could say nothing; absent where it was not asked. */
export const LatentFindings = z
  .strictObject({
    association: Association.nullable(),
    ceiling: CeilingFound.nullable(),
    controls: ControlsFound.nullable(),
    dormant: DormantFound.nullable(),
    doses: DosesFound.nullable(),
    halves: Halves.nullable(),
    heterogeneity: Heterogeneity.nullable(),
    interchange: InterchangeFound.nullable(),
    interventions: InterventionsFound.nullable(),
    negatives: HardNegatives.nullable(),
    output: OutputFound.nullable(),
    transfer: Transfer.nullable(),
    robustness: Robustness.nullable(),
    sets: SetsFound.nullable(),
    siblings: Siblings.nullable(),
    specificity: SpecificityFound.nullable(),
  })
  .partial()
export type LatentFindings = z.infer<typeof LatentFindings>

export const SaeFindings = z
  .strictObject({
    baselines: BaselinesFindings.nullable(),
    absorption: AbsorptionFound.nullable(),
    probing: ProbingFound.nullable(),
    ravel: RavelFound.nullable(),
  })
  .partial()
export type SaeFindings = z.infer<typeof SaeFindings>

/** Every study that settings may name. */
export const studyNames: readonly string[] = [...Object.keys(LatentFindings.shape), ...Object.keys(SaeFindings.shape)]
