/** `npm run bench -- NAME [--rounds N]`: benchmarks that print ratios measured in one run, and the machine they ran on. */
import { parseArgs } from 'node:util'
import { captureBench } from './capture.ts'
import type { BenchOptions } from './options.ts'
import { saeQualityBench } from './sae-quality.ts'
import { trainBench } from './train.ts'

const benches: Record<string, (options: BenchOptions) => Promise<void>> = {
  capture: captureBench,
  train: trainBench,
  'sae-quality': saeQualityBench,
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
