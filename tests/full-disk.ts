/** Loaded before the program: writes to files whose path matches FULL_DISK fail as they do on a full disk (Linux). */
import { readlinkSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { fileURLToPath } from 'node:url'
import { SHARE_ENV, type WorkerOptions } from 'node:worker_threads'

/** Asked for at every write, so that a test can make room again. */
const isFull = (path: string) => new RegExp(process.env.FULL_DISK || '^$').test(path)

const handle = await open(fileURLToPath(import.meta.url), 'r')
const prototype = Object.getPrototypeOf(handle)
await handle.close()

for (const name of ['write', 'writev', 'writeFile', 'appendFile']) {
  const original = prototype[name]
  prototype[name] = function (this: FileHandle, ...args: unknown[]) {
    if (!isFull(readlinkSync(`/proc/self/fd/${this.fd}`))) return original.apply(this, args)
    return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }))
  }
}

/** What a thread that is given its program as text runs first. */
const inThreads = `{
  const fs = require('node:fs')
  const { writeSync } = fs
  fs.writeSync = (file, ...rest) => {
    if (!new RegExp(process.env.FULL_DISK || '^$').test(fs.readlinkSync('/proc/self/fd/' + file))) return writeSync(file, ...rest)
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }
}
`
const threads = createRequire(import.meta.url)('node:worker_threads')
threads.Worker = class extends threads.Worker {
  constructor(program: string | URL, options: WorkerOptions = {}) {
    super(options.eval ? inThreads + program : program, options.eval ? { ...options, env: SHARE_ENV } : options)
  }
}
syncBuiltinESMExports()
