/**
 * Matrix products that wasm's kernels refuse or get wrong: integers, batches that must be repeated on both sides
 * ([2, 1, 3, 4] × [2, 4, 5] comes out half empty), and a bias of more than one dimension in the fused form. Also those
 * that it does an order of magnitude slower than a plain product of two matrices: turned ones, and many at once.
 */
import { tf } from '../tf.ts'
import { type Kernel, type KernelCall, kernelOf, replaceKernel, sizeOf, type TensorInfo } from './backend.ts'
import { onProcessor } from './bridge.ts'

/** Puts all mended products in place. */
export function mendMatMul(): void {
  replaceKernel('BatchMatMul', batchMatMulWith)
  replaceKernel('_FusedMatMul', fusedMatMulWith)
}

function batchMatMulWith(original: Kernel): Kernel {
  return call => {
    const { a, b } = call.inputs as Record<'a' | 'b', TensorInfo>
    if (a.dtype !== 'float32' || b.dtype !== 'float32') return onProcessor('BatchMatMul', call)
    const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
    const made: TensorInfo[] = []
    const keep = (x: TensorInfo) => {
      made.push(x)
      return x
    }
    const straight = (x: TensorInfo, turned: boolean) => {
      const size = sizeOf(x.shape.slice(0, -2))
      const whole = size === 1 || size === sizeOf(batch) ? x : keep(repeat(call, x, batch))
      return turned ? keep(transpose(call, whole)) : whole
    }
    const { transposeA, transposeB } = call.attrs as { transposeA: boolean; transposeB: boolean }
    const left = straight(a, transposeA)
    const right = straight(b, transposeB)
    const product = { ...call, inputs: { a: left, b: right }, attrs: { transposeA: false, transposeB: false } }
    const result = sizeOf(batch) > 1 ? batchByBatch(original, product, batch) : (original(product) as TensorInfo)
    for (const { dataId } of made) call.backend.disposeData(dataId)
    return result
  }
}

/** The matrices of `x` turned. wasm multiplies turned matrices as they lie, many times slower than it turns them. */
function transpose(call: KernelCall, x: TensorInfo): TensorInfo {
  const axes = x.shape.map((_, i) => i)
  const perm = [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!]
  return kernelOf('Transpose', 'wasm')!.kernelFunc({ ...call, inputs: { x }, attrs: { perm } }) as TensorInfo
}

/** One product after another: wasm's fast product takes single matrices, and what it does with several is slow. */
function batchByBatch(original: Kernel, call: KernelCall, batch: readonly number[]): TensorInfo {
  const { backend } = call
  const [a, b] = [call.inputs.a!, call.inputs.b!]
  const [rows, inner] = a.shape.slice(-2) as [number, number]
  const columns = b.shape.at(-1)!
  const output = backend.makeOutput([...batch, rows, columns], 'float32')
  const part = (x: TensorInfo, place: number): TensorInfo => {
    const size = sizeOf(x.shape.slice(-2))
    const start = sizeOf(x.shape.slice(0, -2)) === 1 ? 0 : place * size
    const matrix = backend.makeOutput(x.shape.slice(-2), 'float32')
    const to = backend.typedArrayFromHeap(matrix)
    to.set(backend.typedArrayFromHeap(x).subarray(start, start + size))
    return matrix
  }
  if (rows * inner * columns === 0) {
    backend.typedArrayFromHeap(output).fill(0)
    return output
  }
  for (let place = 0; place < sizeOf(batch); place++) {
    const matrices = { a: part(a, place), b: part(b, place) }
    const product = original({ ...call, inputs: matrices }) as TensorInfo
    backend.typedArrayFromHeap(output).set(backend.typedArrayFromHeap(product), place * rows * columns)
    for (const { dataId } of [matrices.a, matrices.b, product]) backend.disposeData(dataId)
  }
  return output
}

function fusedMatMulWith(original: Kernel): Kernel {
  return call => {
    const { a, b, bias, preluActivationWeights } = call.inputs as Record<string, TensorInfo | undefined>
    const plain = a!.dtype === 'float32' && b!.dtype === 'float32'
    if (plain && (bias === undefined || bias === null || bias.shape.length === 1)) return original(call)
    if (!plain || preluActivationWeights) return onProcessor('_FusedMatMul', call)
    const product = runWasm('BatchMatMul', call, { a, b })
    const sum = runWasm('Add', call, { a: product, b: bias })
    call.backend.disposeData(product.dataId)
    const activation = ACTIVATIONS[call.attrs.activation as string]
    if (activation === undefined) throw new Error(`The fused product has no activation ${call.attrs.activation}.`)
    if (activation === '') return sum
    const result = runWasm(activation, { ...call, attrs: { alpha: call.attrs.leakyreluAlpha } }, { x: sum })
    call.backend.disposeData(sum.dataId)
    return result
  }
}

const ACTIVATIONS: Readonly<Record<string, string>> = {
  linear: '',
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  sigmoid: 'Sigmoid',
  leakyrelu: 'LeakyRelu',
}

function runWasm(name: string, call: KernelCall, inputs: KernelCall['inputs']): TensorInfo {
  return kernelOf(name, 'wasm')!.kernelFunc({ ...call, inputs }) as TensorInfo
}

/** The matrices of `x` repeated so that its batch has the shape `batch`. */
function repeat({ backend }: KernelCall, x: TensorInfo, batch: readonly number[]): TensorInfo {
  const own = [...new Array<number>(batch.length).fill(1), ...x.shape.slice(0, -2)].slice(-batch.length)
  const matrix = sizeOf(x.shape.slice(-2))
  const output = backend.makeOutput([...batch, ...x.shape.slice(-2)], x.dtype)
  const [from, to] = [x, output].map(tensor => backend.typedArrayFromHeap(tensor))
  for (let place = 0; place < sizeOf(batch); place++) {
    let [rest, source, stride] = [place, 0, 1]
    for (let d = batch.length - 1; d >= 0; d--) {
      if (own[d] !== 1) source += (rest % batch[d]!) * stride
      rest = Math.floor(rest / batch[d]!)
      stride *= own[d]!
    }
    to!.set(from!.subarray(source * matrix, (source + 1) * matrix), place * matrix)
  }
  return output
}
