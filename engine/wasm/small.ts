/** Small kernels of wasm that give wrong values without a word. */
import { tf } from '../tf.ts'
import { type Kernel, replaceKernel, sizeOf, type TensorInfo } from './backend.ts'
import { onProcessor } from './bridge.ts'

/** Puts them in place. */
export function mendSmall(): void {
  replaceKernel('Cast', castWith)
  replaceKernel('ClipByValue', () => clipByValue)
  replaceKernel('Identity', identityWith)
  replaceKernel('Slice', sliceWith)
  for (const name of FLOAT_ONLY) mendWhere(name, inputs => inputs.some(({ dtype }) => dtype !== 'float32'))
  for (const name of NO_BOOL) mendWhere(name, inputs => inputs.some(({ dtype }) => dtype === 'bool'))
  mendWhere('Select', ([, chosen]) => chosen!.dtype === 'bool')
  for (const name of NO_EMPTY) mendWhere(name, inputs => inputs.some(({ shape }) => sizeOf(shape) === 0))
  for (const name of NO_NAN) mendNaN(name)
}

/** They read and write four bytes a value as floats, whatever the type: with bool they write beyond their output. */
const FLOAT_ONLY = (
  'Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Expm1 Floor IsFinite IsInf IsNan LeakyRelu Log Log1p ' +
  'Neg Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Sqrt Square Step StridedSlice Tan Tanh'
).split(' ')

/** They take bool for float in the same way, or refuse it. */
const NO_BOOL =
  'Atan2 Cumprod Cumsum FloorDiv Maximum Minimum Mod Pow RealDiv Reverse SquaredDifference Sub TopK'.split(' ')

/** Of nothing they give whatever lies in memory, where a sum is 0 and a product 1. */
const NO_EMPTY = 'Max Mean Min Prod Sum'.split(' ')

/** They drop a NaN. */
const NO_NAN = 'Maximum Minimum Relu6'.split(' ')

/** Has the plain backend do what `when` says. */
function mendWhere(name: string, when: (inputs: TensorInfo[]) => boolean): void {
  replaceKernel(name, original => call => {
    const inputs = Object.values(call.inputs).filter(input => input !== undefined && input !== null)
    return when(inputs) ? onProcessor(name, call) : original(call)
  })
}

function mendNaN(name: string): void {
  replaceKernel(name, original => call => {
    const inputs = Object.values(call.inputs).filter(input => input !== undefined && input !== null)
    const lost = inputs.some(x => x.dtype === 'float32' && hasNaN(call.backend.typedArrayFromHeap(x) as Float32Array))
    return lost ? onProcessor(name, call) : original(call)
  })
}

function hasNaN(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return true
  return false
}

/** To bool: anything but zero is 1. wasm's own keeps the number's lowest byte, so that 0.5 and 256 become 0. */
function castWith(original: Kernel): Kernel {
  return call => {
    const x = call.inputs.x as TensorInfo
    if (call.attrs.dtype !== 'bool' || x.dtype === 'bool') return original(call)
    const output = call.backend.makeOutput(x.shape, 'bool')
    const [from, to] = [x, output].map(tensor => call.backend.typedArrayFromHeap(tensor))
    for (let i = 0; i < to!.length; i++) to![i] = from![i] === 0 ? 0 : 1
    return output
  }
}

/** Between two limits, and NaN stays NaN; wasm's own makes it the lower limit. */
const clipByValue: Kernel = ({ inputs, backend, attrs }) => {
  const x = inputs.x as TensorInfo
  const [low, high] = [attrs.clipValueMin as number, attrs.clipValueMax as number]
  const output = backend.makeOutput(x.shape, x.dtype)
  const [from, to] = [x, output].map(tensor => backend.typedArrayFromHeap(tensor))
  for (let i = 0; i < to!.length; i++) {
    to![i] = Math.min(Math.max(from![i]!, low), high)
  }
  return output
}

/**
 * A second tensor on the same data, as every other backend has it; wasm's own copies, so that a gradient which uses a
 * cloned input finds it gone.
 */
function identityWith(original: Kernel): Kernel {
  return call => {
    const x = call.inputs.x as TensorInfo
    if (x.dtype === 'string' || sizeOf(x.shape) === 0) return original(call)
    call.backend.incRef(x.dataId)
    return { dataId: x.dataId, shape: x.shape, dtype: x.dtype }
  }
}

/** Refuses what lies outside; wasm's own reads there. */
function sliceWith(original: Kernel): Kernel {
  return call => {
    const { begin, size } = call.attrs as { begin: number | number[]; size: number | number[] }
    const x = call.inputs.x as never
    const [start, count] = tf.slice_util.parseSliceParams(x, begin, size) as [number[], number[]]
    tf.slice_util.assertParamsValid(x, start, count)
    return original(call)
  }
}
