import { beforeAll, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { topk } from '../architectures/topk.ts'
import { makeSae } from '../make.ts'
import { randomSae } from './baseline.ts'

beforeAll(() => startEngine())

test('a random control has the same norms, other directions, the same sparsity, and leaves no tensor behind', () => {
  const config = topk.config.parse({ k: 3, decoderInitNorm: 2 })
  const weights = topk.init({ width: 8, outputs: 8, latents: 20, sites: 1 }, config, new Random(0))
  const sae = makeSae({ ...topk.save(weights, config, {}), metadata: { hook_name: 'site' } })
  const before = tf.memory().numTensors
  randomSae(sae, 2).dispose()
  expect(tf.memory().numTensors).toBe(before)
  const control = randomSae(sae, 1)
  for (const norm of control.params.W_dec!.norm(2, 1).dataSync()) expect(norm).toBeCloseTo(2, 5)
  expect([...control.params.W_dec!.dataSync()]).not.toEqual([...sae.params.W_dec!.dataSync()])
  const x = tf.tensor2d(new Random(2).normals(80), [10, 8])
  expect(control.encode(x).values.length).toBe(sae.encode(x).values.length)
  const again = randomSae(sae, 1)
  expect([...again.params.W_enc!.dataSync()]).toEqual([...control.params.W_enc!.dataSync()])
})
