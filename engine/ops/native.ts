/**
 * Calling the custom ops (`engine/native`). Each op has a typed function in this folder with its plain tfjs version beside
 * it; the plain one is the meaning, and runs where the op is absent, where `PIPELINE_OPS=off`, and while gradients are
 * recorded (a custom op has none).
 */
import { createRequire } from 'node:module'
import { UserError } from '../../core/errors.ts'
import type { InstructionSet } from '../isa.ts'
import { type Tensor, tf } from '../tf.ts'

/** What a function of the addon that works on the program's own arrays may be given. */
type HostArgument = Float32Array | Float64Array | Uint16Array | Uint32Array | number

interface Addon {
  readonly ops: readonly string[]
  /** Functions on the program's own arrays, without tensors. */
  readonly functions: Readonly<Record<string, (...given: readonly HostArgument[]) => unknown>>
  /** Instruction sets that this processor has, from the least to the most. */
  readonly instructions: readonly InstructionSet[]
  /** Goes to an instruction set, or to the best where the processor lacks it, and returns the one in use then. */
  setInstructions(set?: string): InstructionSet
  setThreads(threads: number): void
  /** Forgets the packed form of a weight. */
  release(id: number): void
}

/** The part of tfjs's native backend that runs an op by name. */
interface NativeBackend {
  readonly binding: { readonly TF_ATTR_INT: number; readonly TF_ATTR_FLOAT: number; readonly TF_ATTR_BOOL: number }
  executeMultipleOutputs(name: string, attributes: object[], inputs: Tensor[], outputs: number): Tensor[]
  disposeData(dataId: object, force?: boolean): boolean
}

/** How the ops run; the engine's own settings. */
export interface OpSettings {
  readonly threads?: number
  /** Whether products may round their inputs to bfloat16. */
  readonly precision?: 'float32' | 'bf16'
  /** The instruction set that is forced; null for the best that the processor has. */
  readonly isa?: InstructionSet | null
}

/** An attribute of an op: `int` and `float` are named, since JavaScript has one kind of number. */
export type OpAttributes = Readonly<Record<string, boolean | { readonly int: number } | { readonly float: number }>>

let addon: Addon | undefined
let names: ReadonlySet<string> = new Set()
let rounds = false
/** Ids of weights whose packed form the addon keeps, by the memory they lie in. */
const ids = new WeakMap<object, number>()
let lastId = 0

/**
 * Loads an addon that `buildOps` made, after TensorFlow's backend is set. Does nothing where the environment says
 * `PIPELINE_OPS=off`; returns whether the ops are there.
 */
export function loadOps(
  addonPath: string,
  { threads = 1, precision = 'float32', isa = null }: OpSettings = {},
): boolean {
  if (process.env.PIPELINE_OPS === 'off') return false
  const first = !addon
  addon = createRequire(import.meta.url)(addonPath) as Addon
  addon.setThreads(threads)
  if (addon.setInstructions(isa ?? '') !== (isa ?? addon.instructions.at(-1)))
    throw new UserError(`The custom ops cannot use ${isa}, which PIPELINE_ISA names: the system does not grant it.`, {
      fix: `Name one of ${addon.instructions.join(', ')}, or unset it for the best.`,
    })
  names = new Set(addon.ops)
  rounds = precision === 'bf16'
  if (first) releaseWithMemory(tf.backend() as unknown as NativeBackend)
  return true
}

/** What is packed of a weight goes when its memory does. */
function releaseWithMemory(backend: NativeBackend): void {
  const disposeData = backend.disposeData.bind(backend)
  backend.disposeData = (dataId, force) => {
    const freed = disposeData(dataId, force)
    const id = freed ? ids.get(dataId) : undefined
    if (id !== undefined) {
      ids.delete(dataId)
      addon!.release(id)
    }
    return freed
  }
}

/**
 * The number under which the addon keeps what it packs of a weight, as long as the weight's memory lives. Such a weight
 * must never be changed in place.
 */
export function weightId(weight: Tensor): number {
  let id = ids.get(weight.dataId)
  if (id === undefined) {
    id = ++lastId
    ids.set(weight.dataId, id)
  }
  return id
}

/** Whether float32 products run faster on our own op than on TensorFlow's: in float32 precision, from AVX2 on. */
export function multipliesHere(): boolean {
  return !rounds && canCall('PipelineLinearFloat') && addon!.setInstructions() !== 'plain'
}

/** Whether products run in bfloat16 on our own op: the engine's precision says so, and the instructions have them. */
export function roundsHere(): boolean {
  return rounds && hasRoundedProducts() && canCall('PipelineLinear')
}

/** Whether the ops have products of bfloat16 values at the instruction set in use. */
export function hasRoundedProducts(): boolean {
  return ['avx512bf16', 'amx'].includes(opInstructions())
}

/** The instruction set that the ops use, or `none` where they are not loaded. */
export function opInstructions(): InstructionSet | 'none' {
  return addon?.setInstructions() ?? 'none'
}

/** The instruction sets of this processor that the ops have kernels for, from the least to the most. */
export function availableInstructions(): readonly InstructionSet[] {
  return addon?.instructions ?? []
}

/** Sets the instruction set of the ops; a processor that lacks it is a bug of the caller. */
export function setOpInstructions(set: InstructionSet): void {
  const used = addon?.setInstructions(set)
  if (used !== set) throw new Error(`The custom ops use ${used ?? 'none'}, not ${set}.`)
}

/** Sets the threads of the ops; results do not depend on it. */
export function setOpThreads(threads: number): void {
  addon?.setThreads(threads)
}

/**
 * A function of the addon that works on the program's own arrays (`engine/native/host.h`), whatever the backend; undefined where
 * the addon is not loaded. It checks sizes, and writes results into arrays that it is given.
 */
export function hostFunction(name: string): Addon['functions'][string] | undefined {
  const found = addon?.functions[name]
  if (addon && !found) throw new Error(`The addon has no function ${name}.`)
  return found
}

/** Whether an op is loaded and TensorFlow is the backend. */
export function hasOp(name: string): boolean {
  return names.has(name) && tf.getBackend() === 'tensorflow'
}

/** Whether an op may stand in for its plain version now: it is loaded, and no gradient is being recorded. */
export function canCall(name: string): boolean {
  return hasOp(name) && !(tf.engine() as unknown as { isTapeOn(): boolean }).isTapeOn()
}

/** Runs an op. Its name and what it takes are in `engine/native`; wrong shapes throw its sentence. */
export function callOp(name: string, attributes: OpAttributes, inputs: readonly Tensor[], outputs: number): Tensor[] {
  const backend = tf.backend() as unknown as NativeBackend
  const { TF_ATTR_INT, TF_ATTR_FLOAT, TF_ATTR_BOOL } = backend.binding
  const list = Object.entries(attributes).map(([key, value]) => {
    if (typeof value === 'boolean') return { name: key, type: TF_ATTR_BOOL, value }
    if ('int' in value) return { name: key, type: TF_ATTR_INT, value: value.int }
    return { name: key, type: TF_ATTR_FLOAT, value: value.float }
  })
  return backend.executeMultipleOutputs(name, list, [...inputs], outputs)
}

/** Stands for an input that is not given: ops read an empty tensor as none. Dispose it, or call inside a tidy. */
export function noTensor(): Tensor {
  return tf.tensor1d([])
}
