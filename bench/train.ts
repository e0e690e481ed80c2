/**
 * How fast a TopK SAE trains: width 768, k 32, batches of 4096 rows, Adam, unit-norm decoder. Each precision with the plain
 * step (dense tfjs tensors, gradients by differentiation) and with the fused one, as tokens a second, as a share of the
 * machine's matrix products in that precision (a step's one dense product over all it takes), and as a share of its memory
 * bandwidth (weights and moments read and written once).
 */
import type { BenchOptions } from './main.ts'
import { machine, startWorker, timeInTurns } from './workers.ts'

export async function trainBench({ rounds, latents }: BenchOptions): Promise<void> {
  const cases = (['float32', 'bf16'] as const).flatMap(precision =>
    (['plain', 'fused'] as const).map(step => ({ precision, step })),
  )
  const module = new URL('./train-worker.ts', import.meta.url)
  const workers = []
  for (const { precision, step } of cases)
    workers.push(
      await startWorker(module, { BENCH_PRECISION: precision, BENCH_STEP: step, BENCH_LATENTS: String(latents) }),
    )
  const timings = await timeInTurns(workers, rounds)
  for (const worker of workers) await worker.facts()
  const facts = []
  for (const worker of workers) facts.push(await worker.facts())
  for (const worker of workers) worker.stop()
  console.log(machine())
  console.log(`TopK SAE, width 768, ${latents} latents, k 32, 4096 rows a step, median of ${rounds}`)
  console.log('precision  step   tokens/s  to plain  a core-second  to plain  of matmul (GFLOP/s)  of memory (GB/s)')
  for (const [i, { precision, step }] of cases.entries()) {
    const { rows, gigaflop, matmul, gigabytes, bandwidth } = facts[i] as Record<string, number>
    const { seconds, processorSeconds } = timings[i]!
    const plain = timings[step === 'fused' ? i - 1 : i]!
    const share = (amount: number, rate: number) =>
      `${((100 * amount) / seconds / rate).toFixed(0)} % (${rate.toFixed(0)})`
    console.log(
      [
        precision.padEnd(9),
        step.padEnd(5),
        (rows! / seconds).toFixed(0).padStart(8),
        (plain.seconds / seconds).toFixed(2).padStart(8),
        (rows! / processorSeconds).toFixed(0).padStart(13),
        (plain.processorSeconds / processorSeconds).toFixed(2).padStart(8),
        share(gigaflop!, matmul!).padStart(19),
        share(gigabytes!, bandwidth!).padStart(16),
      ].join('  '),
    )
  }
}
