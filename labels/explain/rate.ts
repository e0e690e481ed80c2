/** So many starts a minute, evenly spaced: whoever wants to start waits for its turn, first come, first served. */
import { setTimeout as wait } from 'node:timers/promises'

/** A function that resolves when its caller may start. */
export function turns(
  perMinute: number,
  now: () => number = () => performance.now(),
): (signal: AbortSignal) => Promise<void> {
  const apart = 60_000 / perMinute
  let next = 0
  return async signal => {
    const start = Math.max(now(), next)
    next = start + apart
    if (start > now()) await wait(start - now(), undefined, { signal })
  }
}
