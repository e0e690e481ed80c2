/** The WebAssembly backend: works wherever Node does, several times slower than TensorFlow. */
import { dirname } from 'node:path'
import { requireTfjs, tf } from '../tf.ts'
import type { WasmBackend } from './backend.ts'
import { guardMemory, mendKernels } from './mend.ts'

/** Makes tfjs's wasm backend the backend of tfjs. */
export async function startWasm(): Promise<{ version: string; threads: number }> {
  const entry = requireTfjs.resolve('@tensorflow/tfjs-backend-wasm')
  const wasm = requireTfjs('@tensorflow/tfjs-backend-wasm') as typeof import('@tensorflow/tfjs-backend-wasm')
  wasm.setWasmPaths(`${dirname(entry)}/`)
  mendKernels()
  await tf.setBackend('wasm')
  guardMemory(tf.backend() as unknown as WasmBackend)
  return { version: wasm.version_wasm, threads: wasm.getThreadsCount() }
}
