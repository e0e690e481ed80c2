/** sha256 of files, worked out in a thread of its own, so that the one which computes goes on meanwhile and holds no copy. */
import { Worker } from 'node:worker_threads'

/** The thread's program, as text, since sources and build have different file endings. */
const program = `
const { parentPort } = require('node:worker_threads')
const { createHash } = require('node:crypto')
const { closeSync, openSync, readSync } = require('node:fs')
const piece = Buffer.allocUnsafe(1 << 20)
parentPort.on('message', ({ number, path }) => {
  try {
    const hash = createHash('sha256')
    const file = openSync(path, 'r')
    try {
      for (let read; (read = readSync(file, piece)) > 0; ) hash.update(piece.subarray(0, read))
    } finally {
      closeSync(file)
    }
    parentPort.postMessage({ number, sha256: hash.digest('hex') })
  } catch (error) {
    // A copy of an error is without its code.
    parentPort.postMessage({ number, message: error.message, code: error.code })
  }
})
`

type Answer = { readonly number: number } & (
  | { readonly sha256: string }
  | { readonly message: string; readonly code: string | undefined }
)

interface Asked {
  done(sha256: string): void
  fail(error: unknown): void
}

const asked = new Map<number, Asked>()
let thread: Worker | undefined
let next = 0

/** sha256 of a file in hex; throws what reading it throws. */
export function sha256FileAside(path: string): Promise<string> {
  return new Promise((done, fail) => {
    thread ??= start()
    // A hash that is waited for keeps the process from ending; the thread alone does not.
    thread.ref()
    asked.set(next, { done, fail })
    thread.postMessage({ number: next++, path })
  })
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
      if ('sha256' in answer) one.done(answer.sha256)
      else one.fail(Object.assign(new Error(answer.message), { code: answer.code }))
    }),
  )
  worker.on('error', error => {
    thread = undefined
    for (const number of [...asked.keys()]) settle(number, one => one.fail(error))
  })
  return worker
}
