/** One case of the training benchmark: an architecture and a precision, with the plain or the fused step. */
import { UserError } from '../core/errors.ts'
import { Random } from '../core/random.ts'
import { startEngine } from '../engine/engine.ts'
import type { EngineChoice, Precision } from '../engine/settings.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { Params } from '../sae/architecture.ts'
import { architectureOf } from '../sae/architectures/index.ts'
import { fusedStepper } from '../sae/step/fused/index.ts'
import { Stepper, type StepSettings } from '../sae/step/step.ts'
import { TrainingSettings } from '../sae/training/settings.ts'
import { bandwidth, matmulRate } from './rates.ts'
import { batchesOf } from './rows.ts'
import { bestRate, serve } from './workers.ts'

const [rows, width, k, batches] = [4096, 768, 32, 4]
const { BENCH_ENGINE, BENCH_PRECISION, BENCH_STEP, BENCH_ARCHITECTURE, BENCH_LATENTS, BENCH_DEAD } =
  process.env as Record<string, string>
const latents = Number(BENCH_LATENTS)

/** What makes a fresh SAE of these rows as sparse as a trained one: latents begin at 1.5. */
function sparse(name: string, params: Params): Params {
  const fill = (key: string, value: number) => {
    const filled: Tensor = tf.fill(params[key]!.shape, value)
    params[key]!.dispose()
    params[key] = filled
  }
  if (name === 'jumprelu') fill('threshold', Math.log(1.5))
  if (name === 'gated') fill('bGate', -1.5)
  if (name === 'standard' || name === 'p-anneal') fill('bEnc', -1.5)
  return params
}

await serve(async () => {
  await startEngine({ engine: BENCH_ENGINE as EngineChoice, precision: BENCH_PRECISION as Precision })
  const architecture = architectureOf(BENCH_ARCHITECTURE!)
  const config = architecture.config.parse('k' in architecture.config.shape ? { k } : {}) as Record<string, unknown>
  const shape = { width, outputs: width, latents, sites: 1 }
  // A small rate, so that the SAE stays as sparse as it begins.
  const resolved = TrainingSettings.parse({ ...architecture.training, learningRate: 1e-5, decoderNorm: 'unit' })
  const settings = { ...resolved, deadAfterTokens: 2 ** 30 } as unknown as StepSettings
  const params = sparse(architecture.name, architecture.init(shape, config, new Random(1)))
  const inputs = batchesOf(params.wDec as Tensor2D, { rows, k, batches })
  const Fused = BENCH_STEP === 'fused' ? fusedStepper(architecture, config, settings) : undefined
  if (BENCH_STEP === 'fused' && !Fused)
    throw new UserError(`There is no fused step for ${architecture.name}.`, {
      fix: 'Time its plain step: --steps plain.',
    })
  const variance = tf.tidy(() => inputs[0]!.sub(inputs[0]!.mean(0)).square().sum(1).mean()).dataSync()[0]!
  const stepper = new (Fused ?? Stepper)({ architecture, own: config, settings, shape, params, total: 1e6, variance })
  // Latents that are taken for dead whatever they do, spread over the dictionary.
  const dead = Math.round(Number(BENCH_DEAD) * latents)
  const kill = () => {
    for (let i = 0; i < dead; i++) stepper.firing.silent[Math.floor((i * latents) / dead)] = 2 ** 31 - 1
  }
  const matmul = bestRate(() => matmulRate(rows, width))
  const memory = bestRate(bandwidth)
  let taken = 0
  let l0 = 0
  return {
    facts: () => ({
      rows,
      gigaflop: (2 * rows * width * latents) / 1e9,
      gigabytes: (2 * 6 * 4 * width * latents) / 1e9,
      matmul: matmul(),
      bandwidth: memory(),
      l0,
      resident: process.memoryUsage().rss / 1e9,
      peak: process.resourceUsage().maxRSS / 1e6,
    }),
    step: () => {
      kill()
      const input = inputs[taken++ % batches]!
      const report = stepper.take({ input, target: input }, { measure: taken % 10 === 1 })
      if (report) l0 = report.l0
      // A GPU computes while the program goes on: one weight is waited for.
      if (BENCH_ENGINE === 'tensorflow-gpu') tf.tidy(() => params.bDec!.slice([0], [1]).dataSync())
    },
  }
})
