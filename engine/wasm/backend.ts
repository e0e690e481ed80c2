/** The parts of tfjs's wasm backend that a kernel of ours uses. */
import type { DataType } from '../tf.ts'
import { tf } from '../tf.ts'

/** Typed values of a tensor. */
export type Values = Float32Array | Int32Array | Uint8Array

/** A tensor as kernels see it. */
export interface TensorInfo {
  readonly dataId: object
  readonly shape: number[]
  readonly dtype: DataType
}

/** The backend, as it calls kernels. */
export interface WasmBackend {
  /** A new tensor with undefined content. */
  makeOutput(shape: number[], dtype: DataType): TensorInfo
  /** A view of a tensor's memory; any later allocation may end it, so views are taken last. */
  typedArrayFromHeap(tensor: TensorInfo): Values
  readSync(dataId: object): Values
  disposeData(dataId: object): boolean
  incRef(dataId: object): void
  readonly wasm: { _malloc(bytes: number): number }
}

/** What a kernel is called with. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, TensorInfo | undefined>>
  readonly backend: WasmBackend
  readonly attrs: Readonly<Record<string, unknown>>
}

/** A kernel: plain values and tensors in, a tensor out. */
export type Kernel = (call: KernelCall) => TensorInfo | TensorInfo[]

interface KernelConfig {
  readonly kernelName: string
  readonly backendName: string
  readonly kernelFunc: Kernel
  readonly setupFunc?: (backend: unknown) => void
}

/** The kernel of a backend by name, if it has one. */
export function kernelOf(name: string, backend: string): KernelConfig | undefined {
  return (tf.getKernel(name, backend) ?? undefined) as unknown as KernelConfig | undefined
}

/** Puts a kernel in the place of wasm's own, whose setup is kept; `make` is given wasm's own to fall back on. */
export function replaceKernel(name: string, make: (original: Kernel) => Kernel): void {
  const config = kernelOf(name, 'wasm')
  if (!config) throw new Error(`The wasm backend has no kernel ${name}.`)
  tf.unregisterKernel(name, 'wasm')
  register({ ...config, kernelFunc: make(config.kernelFunc) })
}

/** Adds a kernel that wasm lacks. */
export function addKernel(name: string, kernelFunc: Kernel): void {
  if (!kernelOf(name, 'wasm')) register({ kernelName: name, backendName: 'wasm', kernelFunc })
}

function register(config: KernelConfig): void {
  tf.registerKernel(config as unknown as Parameters<typeof tf.registerKernel>[0])
}

/** Elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}
