/** What a person may set of the engine, and what that comes to where it is left open. Loads no engine. */
import { availableParallelism } from 'node:os'
import { UserError } from '../core/errors.ts'
import type { Progress } from '../core/progress.ts'
import { forcedInstructionSet, type InstructionSet } from './isa.ts'

/** Every engine choice, in the order of help texts; `auto` takes TensorFlow where it is installed and wasm elsewhere. */
export const engineChoices = ['auto', 'tensorflow', 'tensorflow-gpu', 'wasm'] as const

export type EngineChoice = (typeof engineChoices)[number]

/** `bf16` lets TensorFlow round matmul inputs to bfloat16 (about 1e-3 relative error); a process has one precision. */
export const precisions = ['float32', 'bf16'] as const

export type Precision = (typeof precisions)[number]

export interface EngineOptions {
  /** Default: `auto`, which is what `PIPELINE_ENGINE` says where it is set. */
  engine?: EngineChoice
  precision?: Precision
  /** Threads of the engine; default: `TF_NUM_INTRAOP_THREADS`, else one per processor. */
  threads?: number
  /** Told when the start takes long: the custom ops are compiled when their sources have changed. */
  progress?: Progress
}

/** The options with nothing left open. */
export interface EngineSettings {
  readonly engine: EngineChoice
  readonly precision: Precision
  readonly threads: number
  /** The instruction set that `PIPELINE_ISA` forces; null for the best that the processor has. */
  readonly isa: InstructionSet | null
}

/** Fills in what the options leave open, from the environment and the machine. */
export function resolveSettings(options: EngineOptions): EngineSettings {
  const open = options.engine === undefined || options.engine === 'auto'
  const engine = open ? process.env.PIPELINE_ENGINE || 'auto' : options.engine
  if (engine === 'webgpu')
    throw new UserError('The engine cannot be webgpu: WebGPU is a part of browsers, and Node has none.', {
      fix: 'Take tensorflow-gpu on an NVIDIA GPU, or tensorflow on a processor.',
    })
  if (!engineChoices.includes(engine as EngineChoice))
    throw new UserError(`The engine must be one of ${engineChoices.join(', ')}, but it is ${engine}.`, {
      fix: open ? 'Change PIPELINE_ENGINE.' : 'Change --engine.',
    })
  const named = process.env.TF_NUM_INTRAOP_THREADS
  const threads = options.threads ?? (named ? Number(named) : availableParallelism())
  if (!Number.isInteger(threads) || threads < 1)
    throw new UserError(`The engine's threads must be a whole number from 1 up, but they are ${threads}.`, {
      fix: options.threads === undefined ? 'Change TF_NUM_INTRAOP_THREADS.' : 'Change --threads.',
    })
  return {
    engine: engine as EngineChoice,
    precision: options.precision ?? 'float32',
    threads,
    isa: forcedInstructionSet(),
  }
}
