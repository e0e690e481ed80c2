/**
 * Files that a thread of its own writes and hashes, so that the one which computes goes on meanwhile. What lies in shared memory is
 * written from where it lies; a piece is hashed while the processor still has it in its cache from the write.
 */

import { randomUUID } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { partialEnding, writeError } from './files.ts'

/** The thread's program, as text, since sources and build have different file endings. */
const program = `
const { parentPort } = require('node:worker_threads')
const { createHash } = require('node:crypto')
const { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } = require('node:fs')
const { dirname } = require('node:path')
const most = 1 << 17
function write(path, pieces, flush) {
  const hash = createHash('sha256')
  const file = openSync(path, 'wx')
  let bytes = 0
  try {
    for (const piece of pieces)
      for (let at = 0; at < piece.length; ) {
        const part = piece.subarray(at, at + most)
        const written = writeSync(file, part)
        hash.update(part.subarray(0, written))
        at += written
        bytes += written
      }
    if (flush) fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return { bytes, sha256: hash.digest('hex') }
}
function syncFolder(path) {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } catch (error) {
    if (!['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP'].includes(error.code)) throw error
  } finally {
    closeSync(folder)
  }
}
parentPort.on('message', ({ number, path, temporary, pieces, flush }) => {
  try {
    const written = write(temporary, pieces, flush)
    renameSync(temporary, path)
    if (flush) syncFolder(dirname(path))
    parentPort.postMessage({ number, written })
  } catch (error) {
    try {
      rmSync(temporary, { force: true })
    } catch {
      // The first fault is what there is to say.
    }
    // A copy of an error is without its code.
    parentPort.postMessage({ number, message: error.message, code: error.code })
  }
})
`

/** A file that was written. */
export interface Written {
  readonly bytes: number
  readonly sha256: string
}

type Answer = { readonly number: number } & (
  | { readonly written: Written }
  | { readonly message: string; readonly code: string | undefined }
)

interface Asked {
  done(written: Written): void
  fail(error: unknown): void
}

const asked = new Map<number, Asked>()
let thread: Worker | undefined
let next = 0

/**
 * Writes the pieces, one after the other, to a file that is whole or absent, as `writeAtomic` does and with its errors, in a folder
 * that is there. Pieces in shared memory must not be changed before it is done; others are copied. All steps are the other thread's:
 * this one is asked once, however seldom it listens. Without `flush` a power cut may leave the file empty or cut: for what its reader
 * checks and does without.
 */
export async function writeAside(
  path: string,
  pieces: readonly Uint8Array[],
  { flush = true }: { readonly flush?: boolean } = {},
): Promise<Written> {
  // A view of memory that is not shared would take all of that memory along, and the pool of small Buffers, which `slice`
  // does not leave, may not be moved at all.
  const sent = pieces.map(piece => (piece.buffer instanceof SharedArrayBuffer ? piece : new Uint8Array(piece)))
  const moved = sent.flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : []))
  try {
    return await new Promise((done, fail) => {
      thread ??= start()
      // A file that is waited for keeps the process from ending; the thread alone does not.
      thread.ref()
      asked.set(next, { done, fail })
      const temporary = `${path}.${randomUUID()}${partialEnding}`
      thread.postMessage({ number: next++, path, temporary, pieces: sent, flush }, moved)
    })
  } catch (error) {
    throw writeError(path, error)
  }
}

function start(): Worker {
  const worker = new Worker(program, { eval: true, execArgv: [], stdin: false })
  const settle = (number: number, how: (one: Asked) => void) => {
    const one = asked.get(number)
    asked.delete(number)
    if (asked.size === 0) worker.unref()
    if (one) how(one)
  }
  worker.on('message', (answer: Answer) =>
    settle(answer.number, one => {
      if ('written' in answer) one.done(answer.written)
      else one.fail(Object.assign(new Error(answer.message), { code: answer.code }))
    }),
  )
  worker.on('error', error => {
    thread = undefined
    for (const number of [...asked.keys()]) settle(number, one => one.fail(error))
  })
  return worker
}
