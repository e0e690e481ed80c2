import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { describeArchitecture } from '../architecture.contract.ts'
import { topk } from './topk.ts'

beforeAll(() => startEngine())

describeArchitecture(topk, { k: 3 })
describeArchitecture(topk, { k: 3, rescaleByDecoderNorm: true, auxNormalise: 'target', auxRelu: false, auxK: 2 })

const config = topk.config.parse({ k: 2 })
const identity = () => ({
  wEnc: tf.eye(3) as Tensor2D,
  bEnc: tf.zeros([3]),
  wDec: tf.eye(3) as Tensor2D,
  bDec: tf.zeros([3]),
})
const encodeRow = (row: number[]) => [
  ...tf.tidy(() => topk.encode(identity() as never, tf.tensor2d([row]), config, {})).dataSync(),
]

describe('encode', () => {
  test('keeps the k largest latents', () => expect(encodeRow([3, 1, 2])).toEqual([3, 0, 2]))
  test('keeps fewer than k when fewer are positive', () => expect(encodeRow([-1, 4, -2])).toEqual([0, 4, 0]))
  test('breaks ties by the lower index', () => expect(encodeRow([5, 5, 5])).toEqual([5, 5, 0]))
  test('never has more than k nonzero latents', () => {
    const value = fc.float({ noNaN: true, noDefaultInfinity: true })
    const rows = fc.tuple(value, value, value)
    fc.assert(
      fc.property(rows, row => encodeRow(row).filter(value => value !== 0).length <= 2),
      { seed: 1 },
    )
  })
})

test('the encoder starts as the transpose of unit decoder rows', () => {
  const { wEnc, wDec } = topk.init({ width: 5, outputs: 5, latents: 4, sites: 1 }, config, new Random(0))
  expect([...wEnc.dataSync()]).toEqual([...tf.transpose(wDec).dataSync()])
  for (const norm of wDec.norm(2, 1).dataSync()) expect(norm).toBeCloseTo(1, 6)
})

describe('the auxiliary loss', () => {
  const gradients = (settings: object) => {
    const random = new Random(0)
    const shape = { width: 4, outputs: 4, latents: 6, sites: 1 }
    const all = topk.config.parse({ k: 2, ...settings })
    const params = topk.init(shape, all, random)
    const x = tf.tensor2d(random.normals(32), [8, 4])
    const context = {
      step: 0,
      total: 10,
      dead: tf.tensor1d([0, 0, 0, 0, 1, 1]),
      deadCount: 2,
      sparsity: 1,
      variance: 1,
      state: {},
    }
    const aux = () => topk.loss(params, { input: x, target: x }, all, context).terms.auxiliary!
    const { grads } = tf.engine().gradients(aux as never, [params.bEnc, params.bDec, params.wDec], null as never, true)
    return grads
  }

  test('moves dead latents and no others', () => {
    const [bEnc] = gradients({})
    expect(Array.from(bEnc!.dataSync(), value => value !== 0)).toEqual([false, false, false, false, true, true])
  })

  test('leaves the residual alone: neither the decoder bias nor live decoder rows feel it', () => {
    const [, bDec, wDec] = gradients({ decoderBiasOnInput: false })
    expect(bDec ?? null).toBeNull()
    expect([...wDec!.slice([0, 0], [4, 4]).dataSync()].every(value => value === 0)).toBe(true)
  })

  test('does not reach the encoder where sparsify’s fault is asked for', () => {
    const [bEnc] = gradients({ auxToEncoder: false })
    expect(bEnc ?? null).toBeNull()
  })

  test('is not there while no latent is dead', () => {
    const params = topk.init({ width: 4, outputs: 4, latents: 6, sites: 1 }, config, new Random(0))
    const x = tf.ones([2, 4]) as Tensor2D
    const context = { step: 0, total: 10, deadCount: 0, sparsity: 1, variance: 1, state: {} }
    expect(Object.keys(topk.loss(params, { input: x, target: x }, config, context).terms)).toEqual(['reconstruction'])
  })
})

test('says what to change when k is larger than the dictionary', () => {
  const init = () => topk.init({ width: 4, outputs: 4, latents: 1, sites: 1 }, config, new Random(0))
  expect(init).toThrowErrorMatchingInlineSnapshot(
    `[UserError: k must be at most latents, but k is 2 and latents is 1.]`,
  )
})
