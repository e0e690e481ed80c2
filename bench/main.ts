/** `npm run bench -- NAME [--rounds N]`: benchmarks that print ratios measured in one run, and the machine they ran on. */
import { parseArgs } from 'node:util'
import { captureBench } from './capture.ts'
import { saeQualityBench } from './sae-quality.ts'
import { trainBench } from './train.ts'

const benches: Record<string, (options: BenchOptions) => Promise<void>> = {
  capture: captureBench,
  train: trainBench,
  'sae-quality': saeQualityBench,
}

/** What every benchmark takes. */
export interface BenchOptions {
  /** Timed repetitions of each case; cases take turns, so that a busy machine slows all of them. */
  readonly rounds: number
  /** Latents of `train`, precisions (`sae-quality` takes the first), which steps are timed, and the share of dead latents. */
  readonly latents: number
  readonly precisions: readonly string[]
  readonly steps: readonly string[]
  readonly dead: number
  /** Rows that each case of `train` learns from in one go, instead of being timed in turns. */
  readonly tokens?: number | undefined
  /** Architectures of `train` and `sae-quality`; each has its own where none are named. */
  readonly architectures?: readonly string[] | undefined
  /** Sparsities and epochs of `sae-quality`. */
  readonly k: readonly number[]
  readonly epochs: number
  /** Where `sae-quality` keeps its results, table and plot. */
  readonly output?: string | undefined
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    latents: { type: 'string', default: '16384' },
    precisions: { type: 'string', default: 'float32,bf16' },
    steps: { type: 'string', default: 'plain,fused' },
    dead: { type: 'string', default: '0' },
    tokens: { type: 'string' },
    architectures: { type: 'string' },
    k: { type: 'string', default: '16' },
    epochs: { type: 'string', default: '4' },
    output: { type: 'string' },
  },
})
const bench = benches[positionals[0] ?? '']
const rounds = Number(values.rounds)
if (!bench || !Number.isInteger(rounds) || rounds < 1) {
  console.error(`Usage: npm run bench -- ${Object.keys(benches).join('|')} [--rounds N]`)
  process.exitCode = 1
} else
  await bench({
    rounds,
    latents: Number(values.latents),
    precisions: values.precisions.split(','),
    steps: values.steps.split(','),
    dead: Number(values.dead),
    tokens: values.tokens === undefined ? undefined : Number(values.tokens),
    architectures: values.architectures?.split(','),
    k: values.k.split(',').map(Number),
    epochs: Number(values.epochs),
    output: values.output,
  })
