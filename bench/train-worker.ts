/** One case of the training benchmark: a precision, with the plain or the fused step. */
import { Random } from '../core/random.ts'
import { type Precision, startEngine } from '../engine/engine.ts'
import { linear } from '../engine/ops/linear.ts'
import { addBias } from '../engine/ops/norm.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import { topk } from '../sae/architectures/topk.ts'
import { TopkStepper } from '../sae/fused/topk.ts'
import { Stepper } from '../sae/step.ts'
import { TrainingSettings } from '../sae/training-settings.ts'
import { bestRate, serve } from './workers.ts'

const [rows, width] = [4096, 768]
const latents = Number(process.env.BENCH_LATENTS)
await startEngine({ engine: 'tensorflow', precision: process.env.BENCH_PRECISION as Precision })

let state = 1
/** Uniform values of deviation 1, quickly. */
function random(shape: [number, number]): Tensor2D {
  const values = new Float32Array(shape[0] * shape[1])
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    values[i] = state * (1.732 / 2 ** 31)
  }
  return tf.tensor2d(values, shape)
}

/** Best seconds of nine. */
function best(run: () => void): number {
  const seconds = Array.from({ length: 9 }, () => {
    const start = performance.now()
    run()
    return (performance.now() - start) / 1000
  })
  return Math.min(...seconds)
}

/** GFLOP/s of the faster of TensorFlow's product and ours, of a batch by a square of weights. */
function matmulRate(): number {
  const [a, b] = [random([rows, width]), random([width, rows])]
  const seconds = Math.min(
    best(() => tf.matMul(a, b).dispose()),
    best(() => linear(a, b, { layout: 'in-out' }).dispose()),
  )
  tf.dispose([a, b])
  return (2 * rows * width * rows) / seconds / 1e9
}

/** GB/s of a sum of two arrays into a third, 64 MB each. */
function bandwidth(): number {
  const [a, b] = [random([16384, 1024]), random([16384, 1024])]
  const seconds = best(() => addBias(a, b, null).dispose())
  tf.dispose([a, b])
  return (3 * 4 * 16384 * 1024) / seconds / 1e9
}

const config = topk.config.parse({ k: 32 })
const shape = { width, outputs: width, latents, sites: 1 }
const settings = { ...TrainingSettings.parse({ learningRate: 2e-4 }), deadAfterTokens: 1e9 }
const Kind = process.env.BENCH_STEP === 'fused' ? TopkStepper : Stepper
const stepper = new Kind({
  architecture: topk,
  config,
  settings: settings as never,
  shape,
  params: topk.init(shape, config, new Random(1)),
  total: 1e6,
  variance: width,
})
const input = random([rows, width])
const matmul = bestRate(matmulRate)
const memory = bestRate(bandwidth)
serve(
  () => ({
    rows,
    gigaflop: (2 * rows * width * latents) / 1e9,
    gigabytes: (2 * 6 * 4 * width * latents) / 1e9,
    matmul: matmul(),
    bandwidth: memory(),
  }),
  () => {
    stepper.take({ input, target: input })
  },
)
