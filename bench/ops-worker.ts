/** One instruction set of the benchmark of the ops: every case in turns with its plain version, and the times of each. */
import { startEngine } from '../engine/engine.ts'
import { opInstructions } from '../engine/ops/native.ts'
import { type OpCase, opCases } from './ops-cases.ts'
import { serve } from './workers.ts'

const { BENCH_OPS } = process.env as Record<string, string>

const repetitions = 3

/**
 * Written before each timing, so that neither way finds its tensors in cache because the other has just read them. A last cache that is
 * larger keeps them: so both run once before, and begin by turns.
 */
const others = new Float64Array(1 << 23)

await serve(async () => {
  const { nativeOps, notice } = await startEngine({ engine: 'tensorflow' })
  if (!nativeOps) throw new Error(notice ?? 'PIPELINE_OPS=off turns off what is to be timed.')
  const cases = new Map<string, OpCase>()
  for (const name of BENCH_OPS!.split(',')) {
    cases.set(name, opCases[name]!())
    cases.get(name)!.own()
    cases.get(name)!.plain()
  }
  // Seconds of every round, by the clock and of processors.
  const times: Record<string, number[]> = {}
  const time = (name: string, run: () => void) => {
    others.fill(performance.now())
    const used = process.cpuUsage()
    const start = performance.now()
    run()
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(used)
    const keep = (key: string, value: number) => {
      times[key] = [...(times[key] ?? []), value / repetitions]
    }
    keep(`${name}:seconds`, seconds)
    keep(`${name}:core`, (user + system) / 1e6)
  }
  let round = 0
  return {
    facts: () => ({ ...times, instructions: opInstructions() }),
    step: () => {
      for (const [name, { own, plain }] of cases) {
        own()
        plain()
        const ways = [() => time(`${name}:own`, repeated(own)), () => time(`${name}:plain`, repeated(plain))]
        for (const way of round % 2 ? ways.reverse() : ways) way()
      }
      round++
    },
  }
})

/** Some at once, so that an op of microseconds is timed above the clock's own. */
function repeated(run: () => void): () => void {
  return () => {
    for (let i = 0; i < repetitions; i++) run()
  }
}
