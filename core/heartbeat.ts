/**
 * Signs of life: a thread that writes a byte into open files every few seconds, so that whoever looks at a file's time
 * sees that its owner lives, also while tensor work holds the event loop for minutes.
 */
import { Worker } from 'node:worker_threads'

/** The thread's program, as text, since sources and build have different file endings. */
const program = `
const { parentPort } = require('node:worker_threads')
const { writeSync } = require('node:fs')
const beats = new Map()
parentPort.on('message', ({ file, position, every }) => {
  clearInterval(beats.get(file))
  beats.delete(file)
  if (every === undefined) parentPort.postMessage(file)
  else beats.set(file, setInterval(() => {
    // A beat that fails, as on a full disk, is a beat that is missed: others see the file's age.
    try { writeSync(file, ' ', position) } catch {}
  }, every))
})
`

let thread: Worker | undefined
let beating = 0

/**
 * Writes a blank at `position` of the open file `file` every `every` milliseconds, from a thread of its own that keeps no
 * process from ending. Gives what ends it; only then may the file be closed.
 */
export function startHeartbeat(file: number, position: number, every: number): () => Promise<void> {
  thread ??= new Worker(program, { eval: true, execArgv: [], stdin: false })
  const worker = thread
  worker.unref()
  beating++
  worker.postMessage({ file, position, every })
  return async () => {
    await new Promise<void>(resolve => {
      const heard = (stopped: number) => {
        if (stopped !== file) return
        worker.off('message', heard)
        resolve()
      }
      worker.on('message', heard)
      worker.postMessage({ file })
    })
    if (--beating > 0) return
    thread = undefined
    await worker.terminate()
  }
}
