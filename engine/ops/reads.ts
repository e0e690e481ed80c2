/**
 * Counting what leaves the engine's memory: tensors that the program reads, and calls of the custom ops, which have kernels for
 * processors alone. On a GPU such a call would fetch its inputs without a word, so there must be none.
 */
import { type Tensor, tf } from '../tf.ts'

/** What was counted. */
export interface Reads {
  /** Tensors read by the program. */
  readonly reads: number
  readonly bytes: number
  /** Calls of custom ops. */
  readonly ownOps: number
}

interface Watched {
  read(dataId: object): Promise<ArrayBufferView>
  readSync(dataId: object): ArrayBufferView
  executeMultipleOutputs?(name: string, attributes: object[], inputs: Tensor[], outputs: number): Tensor[]
}

/** Runs `work` and counts while it runs; what it gives is its own affair. Reads that it only begins count when it begins them. */
export function countReads(work: () => void): Reads {
  const backend = tf.backend() as unknown as Watched
  const { read, readSync, executeMultipleOutputs } = backend
  const found = { reads: 0, bytes: 0, ownOps: 0 }
  const own = (key: keyof Watched) => Object.hasOwn(backend, key)
  const had = { read: own('read'), readSync: own('readSync'), execute: own('executeMultipleOutputs') }
  backend.readSync = function (dataId) {
    const values = readSync.call(this, dataId)
    found.reads++
    found.bytes += values?.byteLength ?? 0
    return values
  }
  backend.read = async function (dataId) {
    found.reads++
    const values = await read.call(this, dataId)
    found.bytes += values?.byteLength ?? 0
    return values
  }
  if (executeMultipleOutputs)
    backend.executeMultipleOutputs = function (name, attributes, inputs, outputs) {
      if (name.startsWith('Pipeline')) found.ownOps++
      return executeMultipleOutputs.call(this, name, attributes, inputs, outputs)
    }
  try {
    work()
  } finally {
    if (had.read) backend.read = read
    else Reflect.deleteProperty(backend, 'read')
    if (had.readSync) backend.readSync = readSync
    else Reflect.deleteProperty(backend, 'readSync')
    if (had.execute) backend.executeMultipleOutputs = executeMultipleOutputs!
    else Reflect.deleteProperty(backend, 'executeMultipleOutputs')
  }
  return found
}
