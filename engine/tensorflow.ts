/** TensorFlow as tfjs's backend: settings that must stand before its library loads, then the binding from a root. */
import { createRequire } from 'node:module'
import util from 'node:util'
import { bindingPath } from './install/places.ts'
import { oneDnnBound } from './isa.ts'
import { quietly } from './quiet.ts'
import type { EngineSettings } from './settings.ts'
import { requireTfjs, tf } from './tf.ts'

/** What loading TensorFlow gave. */
export interface LoadedTensorflow {
  readonly version: string
  /** Whether TensorFlow found a GPU that it can use. */
  readonly gpu: boolean
}

/** Loads TensorFlow from `root` and makes it the backend of tfjs. */
export async function startTensorflow(
  root: string,
  name: 'tensorflow' | 'tensorflow-gpu',
  settings: EngineSettings,
): Promise<LoadedTensorflow> {
  setEnvironment(settings)
  if (name === 'tensorflow') process.env.CUDA_VISIBLE_DEVICES = '-1'
  mendNode()
  return quietly(root, name === 'tensorflow-gpu', async () => {
    const { NodeJSKernelBackend } = requireTfjs('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js')
    requireTfjs('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js')
    const binding = createRequire(import.meta.url)(bindingPath(root))
    tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node-gpu'), 3)
    await tf.setBackend('tensorflow')
    // The first op starts the device, which greets too.
    tf.tidy(() => tf.matMul(tf.ones([1, 1]), tf.ones([1, 1])).dataSync())
    return { version: binding.TF_Version, gpu: binding.isUsingGpuDevice() }
  })
}

/** TensorFlow and oneDNN read these once, when they load. */
function setEnvironment({ precision, threads, isa }: EngineSettings): void {
  const environment = process.env
  environment.TF_NUM_INTRAOP_THREADS = String(threads)
  environment.TF_CPP_MIN_LOG_LEVEL ??= '2'
  if (precision === 'bf16') environment.ONEDNN_DEFAULT_FPMATH_MODE = 'BF16'
  else delete environment.ONEDNN_DEFAULT_FPMATH_MODE
  const bound = isa && oneDnnBound(isa)
  if (bound) environment.ONEDNN_MAX_CPU_ISA = bound
  // On a GPU, float32 products would be rounded to TF32's 10 bits.
  if (precision === 'float32') environment.NVIDIA_TF32_OVERRIDE = '0'
}

/** tfjs's native backend calls two functions of `node:util` that Node 22 deprecates aloud and Node 24 no longer has. */
function mendNode(): void {
  Object.assign(util, {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: Array.isArray,
  })
}
