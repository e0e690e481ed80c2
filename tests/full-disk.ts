/** Loaded before the program: writes to files whose path matches FULL_DISK fail as they do on a full disk (Linux). */
import { readlinkSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

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
