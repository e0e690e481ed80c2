/** Edits of the playground on a model of GPT-2 small's shapes and an SAE of 24,576 latents at block 6, with random weights. */
import { startEngine } from '../engine/engine.ts'
import { type Tensor, tf } from '../engine/tf.ts'
import { Playground } from '../latents/playground.ts'
import { buildModel } from '../model/build.ts'
import { architectureOf } from '../model/families/index.ts'
import { expectedShapes } from '../model/shapes.ts'
import { makeSae } from '../sae/make.ts'
import { serve } from './workers.ts'

const tokens = Int32Array.from({ length: 32 }, (_, i) => (i * 7919 + 13) % 50_257)
const config = { model_type: 'gpt2', n_embd: 768, n_head: 12, n_layer: 12, n_positions: 1024, vocab_size: 50_257 }
const latents = 24_576
const site = 'blocks.6.hook_resid_post'

let state = 1
/** Uniform values of standard deviation 0.02, quickly. */
function random(shape: readonly number[]): Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1))
  for (let i = 0; i < values.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    values[i] = state * (0.0346 / 2 ** 31)
  }
  return tf.tensor(values, [...shape])
}

await serve(async () => {
  await startEngine({ engine: 'tensorflow' })
  const weights: Record<string, Tensor> = {}
  for (const [name, shape] of expectedShapes(architectureOf(config)))
    weights[name] = /ln_.*weight/.test(name) ? tf.ones([...shape]) : random(shape)
  const model = buildModel(config, weights, { path: 'benchmark', hash: '' })
  const sae = makeSae({
    architecture: 'topk',
    config: { k: 32 },
    params: {
      W_enc: random([768, latents]),
      b_enc: tf.zeros([latents]),
      W_dec: random([latents, 768]),
      b_dec: tf.zeros([768]),
    },
    metadata: { hook_name: site },
  })
  const playground = new Playground(model, sae)
  const [latent] = playground.fires(tokens).keys()
  let step = 0
  return {
    facts: () => ({ tokens: tokens.length, latents, rssMiB: process.memoryUsage().rss / 2 ** 20 }),
    step: () => {
      const edits = [{ latent: latent!, kind: 'set' as const, strength: 1 + step++ / 100, positions: 'all' as const }]
      playground.play(tokens, { edits, random: 1, foreign: 1, seed: 0, unitOf: () => 5 }, tokens.length - 1)
    },
  }
})
