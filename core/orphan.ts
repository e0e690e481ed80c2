/**
 * A process that another one started ends when that one is gone, however it went. The parent's process id is watched from a
 * thread of its own, since tensor work holds the event loop for minutes, in which no message arrives.
 */
import { Worker } from 'node:worker_threads'

/** Milliseconds between two looks. */
const every = 250

/** The thread's program, as text, since sources and build have different file endings. */
const program = `
const { workerData: { parent, every } } = require('node:worker_threads')
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL') }, every)
`

/** From now on, ends this process by SIGKILL soon after its parent is gone. Keeps no process from ending. */
export function dieWithParent(): void {
  new Worker(program, { eval: true, execArgv: [], stdin: false, workerData: { parent: process.ppid, every } }).unref()
}
