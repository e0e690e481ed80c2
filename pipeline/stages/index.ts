/**
 * Every stage, in the order in which data passes through them: the one table that commands, pipeline files, schedules and
 * workers lean on.
 */
import capture from './capture.ts'
import drift from './drift.ts'
import importStage from './import.ts'
import label from './label.ts'
import report from './report.ts'
import type { Stage } from './stage.ts'
import train from './train.ts'
import truth from './truth.ts'
import validate from './validate.ts'

export interface StageEntry {
  readonly stage: Stage
  /** Its place in a pipeline file; undefined for stages that a file has no section for. */
  readonly inFile?: {
    /** Which runs made before it it reads: the stage that made them, by the key that names them. */
    readonly reads: Readonly<Record<string, string>>
  }
}

/** Types an entry, whatever the stage's own schema. */
function entry(stage: unknown, reads?: Readonly<Record<string, string>>): StageEntry {
  return { stage: stage as Stage, ...(reads ? { inFile: { reads } } : {}) }
}

export const stages: readonly StageEntry[] = [
  entry(capture, {}),
  entry(train, { capture: 'capture' }),
  entry(importStage),
  entry(truth),
  entry(validate, { sae: 'train' }),
  entry(label, { sae: 'train', evidence: 'validate' }),
  entry(report, { sae: 'train', evidence: 'validate', labels: 'label' }),
  entry(drift),
]

/** Names of all stages. */
export const stageNames: readonly string[] = stages.map(({ stage }) => stage.stage)

/** The stage of this name. Throws where there is none, which is a bug. */
export function stageNamed(name: string): Stage {
  const found = stages.find(({ stage }) => stage.stage === name)
  if (!found) throw new Error(`There is no stage ${name}.`)
  return found.stage
}
