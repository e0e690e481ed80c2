/** One case of the capture benchmark: a precision, with or without the custom ops. */
import { startEngine } from '../engine/engine.ts'
import { opInstructions } from '../engine/ops/native.ts'
import { countReads } from '../engine/ops/reads.ts'
import type { Precision } from '../engine/settings.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import { buildModel } from '../model/build.ts'
import { bestRate, serve } from './workers.ts'

const batch = 16
const positions = 128
const [width, layers, heads, vocabulary] = [768, 7, 12, 50257]
const until = 'blocks.6.hook_resid_post'

let state = 1
/** Uniform values of standard deviation 0.02, quickly. */
function random(shape: number[]): Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1))
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    values[i] = state * (0.0346 / 2 ** 31)
  }
  return tf.tensor(values, shape)
}

function weights(): Record<string, Tensor> {
  const linear = (name: string, inputs: number, outputs: number) => ({
    [`${name}.weight`]: random([inputs, outputs]),
    [`${name}.bias`]: random([outputs]),
  })
  const norm = (name: string) => ({ [`${name}.weight`]: tf.ones([width]), [`${name}.bias`]: tf.zeros([width]) })
  const blocks = Array.from({ length: layers }, (_, layer) => ({
    ...norm(`h.${layer}.ln_1`),
    ...norm(`h.${layer}.ln_2`),
    ...linear(`h.${layer}.attn.c_attn`, width, 3 * width),
    ...linear(`h.${layer}.attn.c_proj`, width, width),
    ...linear(`h.${layer}.mlp.c_fc`, width, 4 * width),
    ...linear(`h.${layer}.mlp.c_proj`, 4 * width, width),
  }))
  const embeddings = { 'wte.weight': random([vocabulary, width]), 'wpe.weight': random([1024, width]) }
  return Object.assign({ ...embeddings, ...norm('ln_f') }, ...blocks)
}

/** GFLOP/s of TensorFlow's product of a batch's rows by an MLP's first matrix: best of 9. */
function matmulRate(): number {
  const [a, b] = [random([batch * positions, width]) as Tensor2D, random([width, 4 * width]) as Tensor2D]
  const seconds = Array.from({ length: 9 }, () => {
    const start = performance.now()
    tf.tidy(() => tf.matMul(a, b).slice([0, 0], [1, 1]).dataSync())
    return (performance.now() - start) / 1000
  })
  tf.dispose([a, b])
  return (2 * batch * positions * width * 4 * width) / Math.min(...seconds) / 1e9
}

/** A GPU computes while the program goes on: one value is waited for. */
function finish(result: Tensor, engine: string): void {
  if (engine === 'tensorflow-gpu') tf.tidy(() => result.flatten().slice(0, 1).dataSync())
  result.dispose()
}

await serve(async () => {
  const engine = process.env.BENCH_ENGINE as 'tensorflow' | 'tensorflow-gpu'
  await startEngine({ engine, precision: process.env.BENCH_PRECISION as Precision })
  const config = { model_type: 'gpt2', n_embd: width, n_head: heads, n_layer: layers, vocab_size: vocabulary }
  const model = buildModel(config, weights(), { path: 'benchmark', hash: '' })
  const ids = Int32Array.from({ length: batch * positions }, (_, i) => (i * 7919) % vocabulary)
  const tokens = tf.tensor2d(ids, [batch, positions], 'int32')
  // Four projections of 12 width² weights a block, and the scores and mixes of attention as if none were masked.
  const flops = layers * batch * positions * (2 * 12 * width * width + 4 * positions * width)
  const matmul = bestRate(matmulRate)
  return {
    facts: () => ({
      tokens: batch * positions,
      gigaflop: flops / 1e9,
      matmul: matmul(),
      instructions: opInstructions(),
      ...countReads(() => model.run(tokens, { until }).dispose()),
    }),
    step: () => finish(model.run(tokens, { until }), engine),
  }
})
