/** Settings that every stage has, and where runs live. */
import { z } from 'zod'
import { engineChoices, precisions } from '../../engine/settings.ts'
import { RunStore } from '../../runs/store.ts'

/** The engine choices as a schema. */
export const EngineName = z.enum(engineChoices)

export const StoreConfig = {
  'runs-dir': z.string().optional().describe('Folder of the runs (default: PIPELINE_RUNS, else ./runs)'),
}

/** Keys that a stage may set for itself within a pipeline file. */
export const ProcessConfig = {
  engine: EngineName.default('auto').describe('What computes; auto takes TensorFlow where it is installed'),
  precision: z.enum(precisions).default('float32').describe('bf16 rounds the inputs of matrix products'),
  threads: z.int().min(1).optional().describe('Threads of the engine (default: one per processor)'),
}

/** Starts the engine that these keys ask for, for commands that are no stage. */
export async function startProcessEngine(keys: z.output<z.ZodObject<typeof ProcessConfig>>): Promise<void> {
  const { startEngine } = await import('../../engine/engine.ts')
  const { engine, precision, threads } = keys
  await startEngine({ engine, precision, ...(threads === undefined ? {} : { threads }) })
}

export const CommonConfig = {
  name: z.string().optional().describe('Id of the run (default: a readable one that its key gives)'),
  prefix: z.string().optional().describe('What a generated id begins with (default: the stage)'),
  seed: z.int().min(0).default(0).describe('Seed of all randomness; the same seed gives the same bytes'),
  ...ProcessConfig,
  ...StoreConfig,
}

export type CommonConfig = z.output<z.ZodObject<typeof CommonConfig>>

/** The run store that the settings or the environment name. */
export function openStore(config: { readonly 'runs-dir'?: string | undefined }): RunStore {
  return new RunStore(config['runs-dir'] ?? (process.env.PIPELINE_RUNS || 'runs'))
}
