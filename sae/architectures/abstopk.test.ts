import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { type Scalar, type Tensor2D, tf } from '../../engine/tf.ts'
import { describeArchitecture } from '../architecture.contract.ts'
import { makeSae } from '../make.ts'
import { QualityMeter } from '../measure/quality.ts'
import { abstopk } from './abstopk.ts'
import { topk } from './topk.ts'

describeArchitecture(abstopk, { k: 3 })
describeArchitecture(abstopk, { k: 3, rescaleByDecoderNorm: true, auxNormalise: 'none' })

beforeAll(() => startEngine())

const eye = () => tf.eye(3) as Tensor2D
const identity = () => ({ wEnc: eye(), bEnc: tf.zeros([3]), wDec: eye(), bDec: tf.zeros([3]) }) as never
const context = { step: 0, total: 10, deadCount: 0, sparsity: 1, variance: 1, state: {} }
const encodeRow = (row: number[], k = 2) =>
  [...abstopk.encode(identity(), tf.tensor2d([row]), abstopk.config.parse({ k }), {}).dataSync()].map(
    value => value + 0,
  )

describe('the latents of a row', () => {
  test('are the k largest by absolute value, with their signs', () => expect(encodeRow([3, -4, 1])).toEqual([3, -4, 0]))
  test('may all be negative', () => expect(encodeRow([-3, -4, -1])).toEqual([-3, -4, 0]))
  test('at ties are those of the lower index', () => expect(encodeRow([-5, 5, 5])).toEqual([-5, 5, 0]))
  test('are those of TopK where no pre-activation is negative', () => {
    const row = tf.tensor2d([[3, 1, 2]])
    expect(encodeRow([3, 1, 2])).toEqual([...topk.encode(identity(), row, topk.config.parse({ k: 2 }), {}).dataSync()])
  })
})

test('dead latents of the auxiliary loss are chosen by absolute value and keep their signs', () => {
  const input = tf.tensor2d([[1, -6, 5]])
  const dead = tf.tensor1d([1, 1, 0])
  const config = abstopk.config.parse({ k: 1, auxK: 1, auxNormalise: 'none', auxCoefficient: 1 })
  const { terms, latents } = abstopk.loss(identity(), { input, target: input }, config, {
    ...{ ...context, dead, deadCount: 2 },
  })
  expect([...latents.dataSync()]).toEqual([0, -6, 0])
  // What −6 leaves over is (1, 0, 5); the larger dead latent is −6 at index 1: (0 − 1)² + (−6 − 0)² + (0 − 5)².
  expect((terms.auxiliary as Scalar).dataSync()[0]).toBe(62)
})

test('a latent below zero has fired: it counts in L0, in density, and is not dead', () => {
  const { wEnc: W_enc, bEnc: b_enc, wDec: W_dec, bDec: b_dec } = identity() as Record<string, Tensor2D>
  const params = { W_enc: W_enc!, b_enc: b_enc!, W_dec: W_dec!, b_dec: b_dec! }
  const sae = makeSae({ architecture: 'abstopk', config: { k: 1 }, metadata: { hook_name: 's' }, params })
  const meter = new QualityMeter(sae)
  const rows = tf.tensor2d([-2, 1, 0, -1, 0.5, 0], [2, 3])
  meter.measure(sae, rows)
  expect(meter.figures()).toMatchObject({ l0: 1, l1: 1.5, dead: 2 })
  expect([...meter.density()]).toEqual([1, 0, 0])
  const sparse = sae.encode(tf.tensor2d([[-2, 1, 0]]))
  expect([[...sparse.indices], [...sparse.values]]).toEqual([[0], [-2]])
  sae.dispose()
})

test('starts as TopK does', () => {
  const shape = { width: 5, outputs: 5, latents: 7, sites: 1 }
  const weights = abstopk.init(shape, abstopk.config.parse({ k: 2 }), new Random(0))
  const others = topk.init(shape, topk.config.parse({ k: 2 }), new Random(0))
  expect(weights.wEnc.dataSync()).toEqual(others.wEnc.dataSync())
})

test('has no ReLU of dead latents to set, and says so', () =>
  expect(abstopk.config.safeParse({ auxRelu: false }).success).toBe(false))
