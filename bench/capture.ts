/**
 * How fast activations come out of a host model: GPT-2-small shapes with random weights, the residual stream after block 6,
 * 16 windows of 128 tokens. Each precision with and without the custom ops, as tokens a second and as a share of what
 * TensorFlow's own matrix products of the same sizes reach in that process.
 */
import type { BenchOptions } from './options.ts'
import { machine, startWorker, timeInTurns } from './workers.ts'

export async function captureBench({ rounds }: BenchOptions): Promise<void> {
  const cases = (['float32', 'bf16'] as const).flatMap(precision =>
    (['off', 'on'] as const).map(ops => ({ precision, ops })),
  )
  const module = new URL('./capture-worker.ts', import.meta.url)
  const workers = []
  for (const { precision, ops } of cases)
    workers.push(await startWorker(module, { BENCH_PRECISION: precision, PIPELINE_OPS: ops }))
  const timings = await timeInTurns(workers, rounds)
  for (const worker of workers) await worker.facts()
  const facts = []
  for (const worker of workers) facts.push(await worker.facts())
  for (const worker of workers) worker.stop()
  console.log(machine())
  console.log('GPT-2-small shapes, residual after block 6, 16 × 128 tokens, median of', rounds)
  console.log(
    'precision  ops    tokens/s  to plain  a core-second  to plain  GFLOP/s  TensorFlow matmul GFLOP/s  share',
  )
  for (const [i, { precision, ops }] of cases.entries()) {
    const { tokens, gigaflop, matmul, instructions } = facts[i] as Record<string, number>
    const { seconds, processorSeconds } = timings[i]!
    const plain = timings[ops === 'on' ? i - 1 : i]!
    const rate = gigaflop! / seconds
    console.log(
      [
        precision.padEnd(9),
        String(ops === 'on' ? instructions : 'plain').padEnd(6),
        (tokens! / seconds).toFixed(0).padStart(8),
        (plain.seconds / seconds).toFixed(2).padStart(8),
        (tokens! / processorSeconds).toFixed(0).padStart(13),
        (plain.processorSeconds / processorSeconds).toFixed(2).padStart(8),
        rate.toFixed(0).padStart(7),
        matmul!.toFixed(0).padStart(25),
        `${((100 * rate) / matmul!).toFixed(0)} %`.padStart(6),
      ].join('  '),
    )
  }
}
