/**
 * How fast SAEs train: width 768, 16,384 latents, batches of 4096 rows, Adam, unit-norm decoder; k is 32, and architectures
 * without a k begin at a sparsity of about 32 latents a row (`train-worker.ts`). Each precision and architecture with the
 * plain step (dense tfjs tensors, gradients by differentiation) and the fused one, in turns: tokens a second, their ratio,
 * the share of the machine's matrix products in that precision (a step's one dense product over all it takes) and of its
 * memory bandwidth (weights and moments read and written once), and memory.
 *
 * `--tokens N` instead lets each fused case learn from so many rows, and says how fast it was at the start and at the end.
 */
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { architectureOf } from '../sae/architectures/index.ts'
import { defineBench, flags, type Teller } from './options.ts'
import { checkPeerNames, peerFlags, startPeers, tellPeers, trainPeers } from './peers/compare.ts'
import { machine, startWorker, type Timing, timeInTurns, type Worker } from './workers.ts'

const Config = z.strictObject({
  ...flags,
  latents: z.int().min(1).default(16_384).describe('Latents of each SAE'),
  architectures: z
    .array(z.string())
    .nonempty()
    .default(['topk', 'batchtopk', 'matryoshka', 'jumprelu', 'gated', 'standard'])
    .describe('Architectures that learn'),
  steps: z
    .array(z.enum(['plain', 'fused']))
    .nonempty()
    .default(['plain', 'fused'])
    .describe('Which steps are timed'),
  dead: z.number().min(0).max(1).default(0).describe('Share of latents that are taken for dead'),
  tokens: z
    .int()
    .min(1)
    .optional()
    .describe('Rows that each case learns from in one go, instead of being timed in turns'),
  ...peerFlags(trainPeers, 'TopK in float32'),
})
type Config = z.output<typeof Config>

export default defineBench({
  about:
    'How fast SAEs of width 768 learn: the plain step and the fused one in turns, and what share they reach of the machine’s matrix products and memory bandwidth.',
  examples: [
    'npm run bench -- train',
    'npm run bench -- train --architectures topk --precisions float32 --rounds 3 --json',
  ],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

interface Case {
  readonly precision: string
  readonly architecture: string
  readonly step: string
}

async function measure(options: Config, tell: Teller): Promise<void> {
  const { rounds, latents, precisions, dead, tokens, architectures } = options
  for (const name of architectures) architectureOf(name)
  checkPeerNames(options)
  if (options.peers) checkPeers(options)
  tell.line(machine())
  tell.line(`SAEs of width 768, ${latents} latents, L0 32, 4096 rows a step${dead > 0 ? `, ${100 * dead} % dead` : ''}`)
  const cases = precisions.flatMap(precision =>
    architectures.map(architecture => ({ precision, architecture, steps: stepsOf(options) })),
  )
  if (tokens) return longRuns(cases, options, tokens, tell)
  tell.line(`Median of ${rounds}. Ratios are to the plain step of the same architecture, in turns with it.`)
  tell.line(
    'precision  architecture  step   tokens/s  to plain  a core-second  to plain  of matmul (GFLOP/s)  of memory (GB/s)     L0  GB (peak)',
  )
  for (const { precision, architecture, steps } of cases) {
    const workers: Worker[] = []
    try {
      for (const step of steps) workers.push(await start({ precision, architecture, step }, options))
      const own = [...workers]
      const peers = await peersOf({ precision, architecture }, options)
      workers.push(...peers)
      const timings = await timeInTurns(workers, rounds)
      for (const worker of own) await worker.facts()
      for (const [i, worker] of own.entries()) {
        const facts = (await worker.facts()) as Record<string, number>
        const each = { precision, architecture, step: steps[i]! }
        const figures = figuresOf(timings[i]!, timings[steps.indexOf('plain' as never)], facts)
        tell.result({ benchmark: 'train', ...each, latents, dead, rounds, ...figures })
        tell.line(line(each, figures))
      }
      const compared = steps.map((step, i) => ({ name: `${step} step`, timing: timings[i]! }))
      await tellPeers('train', peers, timings.slice(own.length), 4096, compared, tell)
    } finally {
      for (const worker of workers) worker.stop()
    }
  }
}

/** Peers do the work of one case of one size, which must be among those that are timed. */
function checkPeers({ latents, dead, tokens, architectures, precisions }: Config): void {
  const there = architectures.includes('topk') && precisions.includes('float32')
  if (there && latents === 16_384 && dead === 0 && tokens === undefined) return
  throw new UserError('Peers take turns with TopK in float32 at 16,384 latents, which is not among the cases.', {
    fix: 'Leave out --latents, --dead and --tokens, and have topk and float32 among the cases; or leave out --peers.',
  })
}

/** Fused steps are made of ops for processors alone. */
function stepsOf({ engine, steps, tokens }: Config): readonly string[] {
  if (engine === 'tensorflow-gpu') return ['plain']
  return tokens ? ['fused'] : steps
}

/** The peers that take turns with a case: they have the size of the default, in float32. */
async function peersOf({ precision, architecture }: Omit<Case, 'step'>, options: Config): Promise<Worker[]> {
  return precision === 'float32' && architecture === 'topk' ? startPeers(options, trainPeers, options.engine) : []
}

function start({ precision, architecture, step }: Case, { engine, latents, dead }: Config): Promise<Worker> {
  return startWorker(new URL('./train-worker.ts', import.meta.url), {
    BENCH_ENGINE: engine,
    BENCH_PRECISION: precision,
    BENCH_ARCHITECTURE: architecture,
    BENCH_STEP: step,
    BENCH_LATENTS: String(latents),
    BENCH_DEAD: String(dead),
  })
}

interface Figures {
  readonly tokensPerSecond: number
  /** Null where the plain step is not timed. */
  readonly toPlain: number | null
  readonly tokensPerCoreSecond: number
  readonly coreSecondsToPlain: number | null
  readonly shareOfMatmul: number
  readonly matmulGigaflopsPerSecond: number
  readonly shareOfBandwidth: number
  readonly bandwidthGigabytesPerSecond: number
  readonly l0: number
  readonly residentGigabytes: number
  readonly peakGigabytes: number
}

function figuresOf(
  { seconds, processorSeconds }: Timing,
  plain: Timing | undefined,
  facts: Record<string, number>,
): Figures {
  const { rows, gigaflop, matmul, gigabytes, bandwidth, l0, resident, peak } = facts
  return {
    tokensPerSecond: rows! / seconds,
    toPlain: plain ? plain.seconds / seconds : null,
    tokensPerCoreSecond: rows! / processorSeconds,
    coreSecondsToPlain: plain ? plain.processorSeconds / processorSeconds : null,
    shareOfMatmul: gigaflop! / seconds / matmul!,
    matmulGigaflopsPerSecond: matmul!,
    shareOfBandwidth: gigabytes! / seconds / bandwidth!,
    bandwidthGigabytesPerSecond: bandwidth!,
    l0: l0!,
    residentGigabytes: resident!,
    peakGigabytes: peak!,
  }
}

function line({ precision, architecture, step }: Case, figures: Figures): string {
  const share = (part: number, rate: number) => `${(100 * part).toFixed(0)} % (${rate.toFixed(0)})`
  return [
    precision.padEnd(9),
    architecture.padEnd(12),
    step.padEnd(5),
    figures.tokensPerSecond.toFixed(0).padStart(8),
    (figures.toPlain?.toFixed(2) ?? '').padStart(8),
    figures.tokensPerCoreSecond.toFixed(0).padStart(13),
    (figures.coreSecondsToPlain?.toFixed(2) ?? '').padStart(8),
    share(figures.shareOfMatmul, figures.matmulGigaflopsPerSecond).padStart(19),
    share(figures.shareOfBandwidth, figures.bandwidthGigabytesPerSecond).padStart(16),
    figures.l0.toFixed(0).padStart(5),
    `${figures.residentGigabytes.toFixed(2)} (${figures.peakGigabytes.toFixed(2)})`.padStart(11),
  ].join('  ')
}

/** Each case alone over `tokens` rows: the rate and the memory of its first million and of its last. */
async function longRuns(cases: Omit<Case, 'step'>[], options: Config, tokens: number, tell: Teller): Promise<void> {
  tell.line(`Over ${tokens} rows; first and last million of them.`)
  tell.line('precision  architecture  tokens/s first   last  a core-second first   last  GB first  last  peak')
  for (const { precision, architecture } of cases) {
    const worker = await start({ precision, architecture, step: 'fused' }, options)
    try {
      const found = await overRows(worker, tokens)
      tell.result({
        benchmark: 'train',
        precision,
        architecture,
        step: 'fused',
        latents: options.latents,
        tokens,
        ...found,
      })
      const { first, last, peakGigabytes } = found
      tell.line(
        [
          precision.padEnd(9),
          architecture.padEnd(12),
          first.tokensPerSecond.toFixed(0).padStart(14),
          last.tokensPerSecond.toFixed(0).padStart(5),
          first.tokensPerCoreSecond.toFixed(0).padStart(19),
          last.tokensPerCoreSecond.toFixed(0).padStart(5),
          first.residentGigabytes.toFixed(2).padStart(8),
          last.residentGigabytes.toFixed(2).padStart(4),
          peakGigabytes.toFixed(2).padStart(4),
        ].join('  '),
      )
    } finally {
      worker.stop()
    }
  }
}

/** Rate and memory of the first million rows, and of the last. */
async function overRows(worker: Worker, tokens: number) {
  const { rows } = (await worker.facts()) as Record<string, number>
  const timings: Timing[] = []
  const window = Math.min(Math.ceil(1e6 / rows!), Math.ceil(tokens / rows! / 2))
  let opening: Record<string, number> = {}
  await worker.time()
  for (let seen = 0; seen < tokens; seen += rows!) {
    timings.push(await worker.time())
    if (timings.length === window) opening = (await worker.facts()) as Record<string, number>
  }
  const closing = (await worker.facts()) as Record<string, number>
  const rate = (some: Timing[], part: keyof Timing) =>
    (some.length * rows!) / some.reduce((sum, timing) => sum + timing[part], 0)
  const part = (some: Timing[], facts: Record<string, number>) => ({
    tokensPerSecond: rate(some, 'seconds'),
    tokensPerCoreSecond: rate(some, 'processorSeconds'),
    residentGigabytes: facts.resident!,
  })
  return {
    first: part(timings.slice(0, window), opening),
    last: part(timings.slice(-window), closing),
    peakGigabytes: closing.peak!,
  }
}
