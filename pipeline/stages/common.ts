/** Settings that every stage has, and where runs live. */
import { z } from 'zod'
import { engineChoices, precisions } from '../../engine/settings.ts'
import { openObjectStore } from '../../objects/open.ts'
import { RunStore } from '../../runs/store.ts'

/** The engine choices as a schema. */
export const EngineName = z.enum(engineChoices)

export const StoreConfig = {
  'runs-dir': z.string().optional().describe('Folder of the runs (default: PIPELINE_RUNS, else ./runs)'),
}

/** Where machines without a common folder share their runs. */
export const SharedConfig = {
  store: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Place through which machines without a common folder share finished runs and parts: s3://bucket/prefix or a folder; what is missing here is taken from there, what is finished is left there (default: PIPELINE_STORE)',
    ),
}

/** Keys that a stage may set for itself within a pipeline file. */
export const ProcessConfig = {
  engine: EngineName.default('auto').describe('What computes; auto takes TensorFlow where it is installed'),
  precision: z.enum(precisions).default('float32').describe('bf16 rounds the inputs of matrix products'),
  threads: z.int().min(1).optional().describe('Threads of the engine (default: one per processor)'),
}

/** Keys of stages whose work several processes can share. They change no byte. */
export const SharingConfig = {
  workers: z
    .int()
    .min(1)
    .max(256)
    .default(1)
    .describe('Processes that share the work of capture, validate and label; any number gives the same bytes'),
  parts: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Where shared work is left until its run is closed: a folder or s3://bucket/prefix (default: in --store, else .parts beside the runs)',
    ),
  mixed: z
    .boolean()
    .default(false)
    .describe('Take parts from unlike processors, whose bytes may differ in the last digits'),
}

/** The same, and the share that this process is to do. */
export const ShareConfig = {
  ...SharingConfig,
  shard: z.int().min(0).optional().describe('Do one share of the work, from 0 up, and leave its parts; no run is made'),
  of: z.int().min(1).optional().describe('How many shares there are, for --shard'),
}
export type ShareConfig = z.output<z.ZodObject<typeof ShareConfig>>

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
  ...SharedConfig,
}

export type CommonConfig = z.output<z.ZodObject<typeof CommonConfig>>

/** The place through which runs are shared, that the settings or the environment name. */
export function sharedPlace({ store }: { readonly store?: string | undefined }): string | undefined {
  return store ?? (process.env.PIPELINE_STORE || undefined)
}

/** The run store that the settings or the environment name. */
export function openStore(config: {
  readonly 'runs-dir'?: string | undefined
  readonly store?: string | undefined
}): RunStore {
  const place = sharedPlace(config)
  const directory = config['runs-dir'] ?? (process.env.PIPELINE_RUNS || 'runs')
  return new RunStore(directory, place === undefined ? undefined : () => openObjectStore(place))
}
