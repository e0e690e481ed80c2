/** The server of the serve benchmark, in a process of its own. */
import { listen } from '../dashboard/server/listen.ts'
import { serve } from './workers.ts'

await serve(async () => {
  const start = performance.now()
  const { port, token } = await listen({
    directory: process.env.BENCH_STORE!,
    version: 'bench',
    host: '127.0.0.1',
    port: 0,
    exactly: false,
    signal: new AbortController().signal,
    onBug: error => {
      throw error
    },
  })
  const listening = performance.now() - start
  return {
    facts: () => ({ port, token, listening, rss: process.memoryUsage().rss / 2 ** 20 }),
    step: () => {},
  }
})
