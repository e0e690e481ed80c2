/** Memory that arrays took, freed now rather than later. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/**
 * Frees what nothing refers to any more. JavaScript's engine counts the objects on its own heap and lets arrays, which lie
 * beside it, gather by the gigabyte; call this between arrays that are large enough to be worth some milliseconds.
 */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}

/** Milliseconds between looks at the heap. */
const look = 1000

/**
 * Frees garbage whenever the heap, or the arrays beside it, have grown by `growth` bytes since they were least, until the signal: a process
 * that lives long stays small, where the engine would let the heap double first.
 */
export function keepSmall(growth: number, signal: AbortSignal): void {
  let least = process.memoryUsage()
  const timer = setInterval(() => {
    const now = process.memoryUsage()
    least = {
      ...now,
      heapUsed: Math.min(least.heapUsed, now.heapUsed),
      arrayBuffers: Math.min(least.arrayBuffers, now.arrayBuffers),
    }
    if (now.heapUsed - least.heapUsed < growth && now.arrayBuffers - least.arrayBuffers < growth) return
    collectGarbage()
    least = process.memoryUsage()
  }, look)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

/** Does work whose garbage is freed as `keepSmall` does, until it ends. */
export async function inLittleMemory<T>(growth: number, work: () => Promise<T>): Promise<T> {
  const done = new AbortController()
  keepSmall(growth, done.signal)
  try {
    return await work()
  } finally {
    done.abort()
  }
}
