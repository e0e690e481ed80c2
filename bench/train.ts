/**
 * How fast SAEs train: width 768, 16,384 latents, batches of 4096 rows, Adam, unit-norm decoder; k is 32, and architectures
 * without a k begin at a sparsity of about 32 latents a row (`train-worker.ts`). Each precision and architecture with the
 * plain step (dense tfjs tensors, gradients by differentiation) and the fused one, in turns: tokens a second, their ratio,
 * the share of the machine's matrix products in that precision (a step's one dense product over all it takes) and of its
 * memory bandwidth (weights and moments read and written once), and memory.
 *
 * `--tokens N` instead lets each fused case learn from so many rows, and says how fast it was at the start and at the end.
 */
import type { BenchOptions } from './options.ts'
import { machine, startWorker, type Timing, timeInTurns, type Worker } from './workers.ts'

const usual = ['topk', 'batchtopk', 'matryoshka', 'jumprelu', 'gated', 'standard']

/** One step of TopK by others: tokens a second in float32 and under bf16 autocast, as once measured. */
const peers = [
  ['SAELens 6.18', 1028, 1505],
  ['dictionary_learning', 1226, 3217],
  ['sparsify', 4428, 6244],
] as const

interface Case {
  readonly precision: string
  readonly architecture: string
  readonly step: string
}

export async function trainBench(options: BenchOptions): Promise<void> {
  const { rounds, latents, precisions, steps, dead, tokens, architectures = usual } = options
  console.log(machine())
  console.log(
    `SAEs of width 768, ${latents} latents, L0 32, 4096 rows a step${dead > 0 ? `, ${100 * dead} % dead` : ''}`,
  )
  const cases = precisions.flatMap(precision =>
    architectures.map(architecture => ({ precision, architecture, steps: tokens ? ['fused'] : steps })),
  )
  if (tokens) return longRuns(cases, options, tokens)
  console.log(`Median of ${rounds}. Ratios are to the plain step of the same architecture, in turns with it.`)
  console.log(
    'precision  architecture  step   tokens/s  to plain  a core-second  to plain  of matmul (GFLOP/s)  of memory (GB/s)     L0  GB (peak)',
  )
  for (const { precision, architecture, steps } of cases) {
    const workers: Worker[] = []
    for (const step of steps) workers.push(await start({ precision, architecture, step }, options))
    const timings = await timeInTurns(workers, rounds)
    for (const worker of workers) await worker.facts()
    for (const [i, worker] of workers.entries()) {
      const facts = (await worker.facts()) as Record<string, number>
      console.log(
        line({ precision, architecture, step: steps[i]! }, timings[i]!, timings[steps.indexOf('plain')], facts),
      )
      worker.stop()
    }
  }
  if (latents !== 16384) return
  console.log('TopK of other libraries at this size on a machine of the same kind, measured once and not in this run:')
  for (const [name, float32, bf16] of peers)
    console.log(`  ${name.padEnd(20)} ${float32} tokens/s in float32, ${bf16} with bf16 autocast`)
}

function start({ precision, architecture, step }: Case, { latents, dead }: BenchOptions): Promise<Worker> {
  return startWorker(new URL('./train-worker.ts', import.meta.url), {
    BENCH_PRECISION: precision,
    BENCH_ARCHITECTURE: architecture,
    BENCH_STEP: step,
    BENCH_LATENTS: String(latents),
    BENCH_DEAD: String(dead),
  })
}

function line(
  { precision, architecture, step }: Case,
  { seconds, processorSeconds }: Timing,
  plain: Timing | undefined,
  facts: Record<string, number>,
): string {
  const { rows, gigaflop, matmul, gigabytes, bandwidth, l0, resident, peak } = facts
  const share = (amount: number, rate: number) =>
    `${((100 * amount) / seconds / rate).toFixed(0)} % (${rate.toFixed(0)})`
  const ratio = (of: number | undefined, to: number) => (of ? (of / to).toFixed(2) : '')
  return [
    precision.padEnd(9),
    architecture.padEnd(12),
    step.padEnd(5),
    (rows! / seconds).toFixed(0).padStart(8),
    ratio(plain?.seconds, seconds).padStart(8),
    (rows! / processorSeconds).toFixed(0).padStart(13),
    ratio(plain?.processorSeconds, processorSeconds).padStart(8),
    share(gigaflop!, matmul!).padStart(19),
    share(gigabytes!, bandwidth!).padStart(16),
    l0!.toFixed(0).padStart(5),
    `${resident!.toFixed(2)} (${peak!.toFixed(2)})`.padStart(11),
  ].join('  ')
}

/** Each case alone over `tokens` rows: the rate and the memory of its first million and of its last. */
async function longRuns(cases: Omit<Case, 'step'>[], options: BenchOptions, tokens: number): Promise<void> {
  console.log(`Over ${tokens} rows; first and last million of them.`)
  console.log('precision  architecture  tokens/s first   last  a core-second first   last  GB first  last  peak')
  for (const { precision, architecture } of cases) {
    const worker = await start({ precision, architecture, step: 'fused' }, options)
    const { rows } = (await worker.facts()) as Record<string, number>
    const timings: Timing[] = []
    const window = Math.min(Math.ceil(1e6 / rows!), Math.ceil(tokens / rows! / 2))
    let first: Record<string, number> = {}
    await worker.time()
    for (let seen = 0; seen < tokens; seen += rows!) {
      timings.push(await worker.time())
      if (timings.length === window) first = (await worker.facts()) as Record<string, number>
    }
    const last = (await worker.facts()) as Record<string, number>
    worker.stop()
    const rate = (some: Timing[], part: keyof Timing) =>
      ((some.length * rows!) / some.reduce((sum, timing) => sum + timing[part], 0)).toFixed(0)
    const [opening, end] = [timings.slice(0, window), timings.slice(-window)]
    console.log(
      [
        precision.padEnd(9),
        architecture.padEnd(12),
        rate(opening, 'seconds').padStart(14),
        rate(end, 'seconds').padStart(5),
        rate(opening, 'processorSeconds').padStart(19),
        rate(end, 'processorSeconds').padStart(5),
        first.resident!.toFixed(2).padStart(8),
        last.resident!.toFixed(2).padStart(4),
        last.peak!.toFixed(2).padStart(4),
      ].join('  '),
    )
  }
}
