/** One instruction set of the benchmark of the ops: every case in turns with its plain version, and the best of each. */
import { startEngine } from '../engine/engine.ts'
import { opInstructions } from '../engine/ops/native.ts'
import { type OpCase, opCases } from './ops-cases.ts'
import { serve } from './workers.ts'

const { BENCH_OPS } = process.env as Record<string, string>

await serve(async () => {
  const { nativeOps, notice } = await startEngine({ engine: 'tensorflow' })
  if (!nativeOps) throw new Error(notice ?? 'PIPELINE_OPS=off turns off what is to be timed.')
  const cases = new Map<string, OpCase>()
  for (const name of BENCH_OPS!.split(',')) {
    cases.set(name, opCases[name]!())
    cases.get(name)!.own()
    cases.get(name)!.plain()
  }
  const best: Record<string, number> = {}
  const time = (name: string, run: () => void) => {
    const used = process.cpuUsage()
    const start = performance.now()
    run()
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(used)
    const least = (key: string, value: number) => {
      best[key] = Math.min(best[key] ?? Number.POSITIVE_INFINITY, value)
    }
    least(`${name}:seconds`, seconds)
    least(`${name}:core`, (user + system) / 1e6)
  }
  return {
    facts: () => ({ ...best, instructions: opInstructions() }),
    step: () => {
      for (const [name, { own, plain }] of cases) {
        time(`${name}:own`, repeated(own))
        time(`${name}:plain`, repeated(plain))
      }
    },
  }
})

/** Three at once, so that an op of microseconds is timed above the clock's own. */
function repeated(run: () => void): () => void {
  return () => {
    for (let i = 0; i < 3; i++) run()
  }
}
