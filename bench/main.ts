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
  /** Latents of `train`. */
  readonly latents: number
  /** Architectures, sparsities and epochs of `sae-quality`. */
  readonly architectures: readonly string[]
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
    architectures: { type: 'string', default: 'topk,batchtopk' },
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
    architectures: values.architectures.split(','),
    k: values.k.split(',').map(Number),
    epochs: Number(values.epochs),
    output: values.output,
  })
