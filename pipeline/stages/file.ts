/** A pipeline file: what all stages share, a section a stage, and how each stage's settings follow from them. */
import { z } from 'zod'
import { CaptureConfig } from '../../capture/config.ts'
import { ReportConfig } from '../../dashboard/report/config.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import { LabelConfig } from '../../labels/config.ts'
import { TrainManyConfig } from '../../sae/training/grid.ts'
import { ValidateConfig } from '../../validation/config.ts'
import { ProcessConfig, StoreConfig } from './common.ts'

/** What a section may set for its stage alone. */
const own = {
  seed: z.int().min(0).optional().describe("Seed of this stage (default: the file's)"),
  engine: ProcessConfig.engine.unwrap().optional().describe("Engine of this stage (default: the file's)"),
  precision: ProcessConfig.precision.unwrap().optional().describe('Precision of this stage'),
  threads: ProcessConfig.threads,
}

/** A stage's schema as a section: what it works on follows from the file, so that it need not be given. */
function section<S extends z.ZodObject>(config: S) {
  const inputs = ['model', 'dataset', 'capture', 'sae', 'evidence', 'labels'].filter(key => key in config.shape)
  const optional = Object.fromEntries(inputs.map(key => [key, (config.shape[key] as z.ZodType).optional()]))
  return z.strictObject({ ...config.shape, ...optional, ...own }).optional()
}

export const PipelineConfig = z.strictObject({
  name: z.string().default('pipeline').describe('What the ids of its runs begin with'),
  seed: z.int().min(0).default(0).describe('Seed of all stages'),
  engine: ProcessConfig.engine,
  precision: ProcessConfig.precision.describe(
    'Precision of training; other stages are float32 unless their section says so',
  ),
  threads: ProcessConfig.threads,
  ...StoreConfig,
  model: z.string().optional().describe('Hugging Face model directory, or the built-in model toyworld'),
  dataset: DatasetConfig.optional(),
  capture: section(CaptureConfig),
  train: section(TrainManyConfig),
  validate: section(ValidateConfig),
  label: section(LabelConfig),
  report: section(ReportConfig),
})
export type PipelineConfig = z.output<typeof PipelineConfig>

/** The stages in their order, and which runs made before each one it reads, by the key that names them. */
const order = [
  { stage: 'capture', reads: {} },
  { stage: 'train', reads: { capture: 'capture' } },
  { stage: 'validate', reads: { sae: 'train' } },
  { stage: 'label', reads: { sae: 'train', evidence: 'validate' } },
  { stage: 'report', reads: { sae: 'train', evidence: 'validate', labels: 'label' } },
] as const

export interface PlannedStage {
  readonly stage: string
  /** The settings of the stage's own command, given the ids of the runs that were done before it. */
  settings(done: Readonly<Record<string, string>>): Record<string, unknown>
}

/** The stages that the file has sections for, in order. */
export function stagesOf(config: PipelineConfig): PlannedStage[] {
  return order.flatMap(({ stage, reads }) => {
    const given = config[stage]
    if (given === undefined) return []
    return {
      stage,
      settings: done => ({
        prefix: `${config.name}-${stage}`,
        seed: config.seed,
        engine: config.engine,
        precision: stage === 'train' ? config.precision : 'float32',
        threads: config.threads,
        'runs-dir': config['runs-dir'],
        ...(stage === 'capture' ? { model: config.model, dataset: config.dataset } : {}),
        ...Object.fromEntries(
          Object.entries(reads)
            .filter(([, from]) => done[from] !== undefined)
            .map(([key, from]) => [key, done[from]]),
        ),
        ...given,
      }),
    }
  })
}
