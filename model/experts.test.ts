import { beforeAll, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import { buildModel } from './build.ts'
import { architectureOf } from './families/index.ts'
import { randomWeights, smallConfigs } from './random.fixture.ts'

beforeAll(() => startEngine())

/** The weights of a small config as transformers 5 has them in memory: experts in two tensors a layer. */
function together(weights: Record<string, Tensor>): Record<string, Tensor> {
  const parts: Record<string, Tensor[]> = {}
  const rest: Record<string, Tensor> = {}
  for (const [name, tensor] of Object.entries(weights)) {
    const [, at, expert, part] = /^(.*)\.experts\.(\d+)\.(\w+)\.weight$/.exec(name) ?? []
    if (at === undefined) rest[name.replace('block_sparse_moe', 'mlp')] = tensor
    else {
      const place = `${at.replace('block_sparse_moe', 'mlp')}.experts.${part}`
      parts[place] ??= []
      parts[place][Number(expert)] = tensor
    }
  }
  const stacked = (name: string, ...kinds: string[]) => {
    const kind = kinds.find(kind => parts[`${name}.${kind}`])!
    return tf.stack(parts[`${name}.${kind}`]!)
  }
  for (const at of new Set(Object.keys(parts).map(name => name.replace(/\.\w+$/, '')))) {
    rest[`${at}.gate_up_proj`] = tf.concat([stacked(at, 'gate_proj', 'w1'), stacked(at, 'up_proj', 'w3')], 1)
    rest[`${at}.down_proj`] = stacked(at, 'down_proj', 'w2')
  }
  return rest
}

test.each(['mixtral', 'qwen2_moe'])('%s computes the same with its experts together in a file', family => {
  const config = smallConfigs[family]!
  const weights = randomWeights(config)
  const info = { path: family, hash: '' }
  const models = [buildModel(config, weights, info), buildModel(config, together(weights), info)]
  const [apart, joined] = models.map(model => {
    const logits = model.run(tf.tensor2d([[1, 4, 2, 8, 5, 7]], undefined, 'int32') as Tensor2D)
    return [...logits.dataSync()]
  })
  expect(Object.keys(models[1]!.weights)).not.toEqual(Object.keys(models[0]!.weights))
  expect(Math.max(...apart!.map((value, i) => Math.abs(value - joined![i]!)))).toBeLessThan(1e-5)
  for (const model of models) model.dispose()
})

test('qwen2_moe whose layers all have experts reads no width of a plain MLP', () => {
  const config = { ...smallConfigs.qwen2_moe!, decoder_sparse_step: 1, mlp_only_layers: [], moe_intermediate_size: 6 }
  expect(architectureOf({ ...config, intermediate_size: 1000 }).config.mlpWidth).toBe(6)
  expect(architectureOf({ ...config, intermediate_size: 1000, mlp_only_layers: [0] }).config.mlpWidth).toBe(1000)
})
