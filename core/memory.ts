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
 * Frees garbage whenever the heap has grown by `growth` bytes since it was least, until the signal: a process that lives long stays
 * small, where the engine would let the heap double first.
 */
export function keepSmall(growth: number, signal: AbortSignal): void {
  let least = process.memoryUsage().heapUsed
  const timer = setInterval(() => {
    const { heapUsed } = process.memoryUsage()
    least = Math.min(least, heapUsed)
    if (heapUsed - least < growth) return
    collectGarbage()
    least = process.memoryUsage().heapUsed
  }, look)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}
