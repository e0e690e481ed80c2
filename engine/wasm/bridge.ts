/** Kernels that only tfjs's plain JavaScript backend has, run there on copies: slow, and right. */
import { tf } from '../tf.ts'
import { type Kernel, type KernelCall, kernelOf, type TensorInfo, type Values } from './backend.ts'

/** The parts of the plain backend that are used here. */
interface ProcessorBackend {
  makeTensorInfo(shape: number[], dtype: string, values: Values): TensorInfo
  readSync(dataId: object): Values
  disposeData(dataId: object, force: boolean): boolean
  /** It greets on the console when first used. */
  firstUse: boolean
}

/** Runs the plain backend's kernel `name` on copies of the inputs, and copies back what it gives. */
export function onProcessor(name: string, { inputs, backend, attrs }: KernelCall): TensorInfo | TensorInfo[] {
  const processor = tf.findBackend('cpu') as unknown as ProcessorBackend
  processor.firstUse = false
  const copies = Object.entries(inputs).map(([key, tensor]) => {
    if (!tensor) return [key, tensor] as const
    return [key, processor.makeTensorInfo(tensor.shape, tensor.dtype, backend.readSync(tensor.dataId))] as const
  })
  const kernel = kernelOf(name, 'cpu')!.kernelFunc
  const given = kernel({ inputs: named(inputs, copies), backend: processor as never, attrs })
  const back = (tensor: TensorInfo) => {
    const output = backend.makeOutput(tensor.shape, tensor.dtype)
    backend.typedArrayFromHeap(output).set(processor.readSync(tensor.dataId))
    processor.disposeData(tensor.dataId, true)
    return output
  }
  const result = Array.isArray(given) ? given.map(back) : back(given)
  for (const [, tensor] of copies) if (tensor) processor.disposeData(tensor.dataId, true)
  return result
}

/** Einsum's inputs are a list, other kernels' have names. */
function named(inputs: KernelCall['inputs'], copies: readonly (readonly [string, TensorInfo | undefined])[]) {
  const object = Object.fromEntries(copies)
  return Array.isArray(inputs) ? (Object.values(object) as unknown as KernelCall['inputs']) : object
}

/** A kernel that always runs there. */
export function bridged(name: string): Kernel {
  return call => onProcessor(name, call)
}
