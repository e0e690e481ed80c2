import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor, type Tensor2D, tf } from '../../engine/tf.ts'
import { describeArchitecture } from '../architecture.contract.ts'
import { step } from '../layers/activations.ts'
import { crossLayer } from './cross-layer.ts'
import { crosscoder } from './crosscoder.ts'
import { gated } from './gated.ts'
import { jumprelu } from './jumprelu.ts'
import { levelsOf, matryoshka } from './matryoshka.ts'
import { pAnneal, pAt } from './p-anneal.ts'
import { standard } from './standard.ts'
import { skipTranscoder, transcoder } from './transcoder.ts'

beforeAll(() => startEngine())

const target = { shape: { width: 5, outputs: 4, latents: 12, sites: 1 } }
const sites = { shape: { width: 6, outputs: 6, latents: 12, sites: 2 } }
const layers = { shape: { width: 6, outputs: 8, latents: 12, sites: 2 } }
const threshold = { straightThrough: ['threshold'] }

describeArchitecture(standard, { l1Coefficient: 0.1 })
describeArchitecture(standard, { l1Coefficient: 0.1, lpNorm: 0.5, reconstruction: 'norm', weightByDecoderNorm: false })
describeArchitecture(gated, { l1Coefficient: 0.1, detachDecoder: false })
describeArchitecture(jumprelu, { sparsityLoss: 'tanh', initThreshold: 0.3 }, threshold)
describeArchitecture(jumprelu, { sparsityLoss: 'step', thresholdForm: 'direct', preActCoefficient: 0.1 }, threshold)
describeArchitecture(jumprelu, { sparsityLoss: 'target', targetL0: 4, bandwidth: 0.5 }, threshold)
describeArchitecture(matryoshka, { k: 3, widths: [3, 7] })
describeArchitecture(matryoshka, { k: 3, widths: [3, 7], auxPerLevel: true })
describeArchitecture(pAnneal, { l1Coefficient: 0.05, pSteps: 3 })
describeArchitecture(transcoder, { k: 3 }, target)
describeArchitecture(skipTranscoder, { k: 3 }, target)
describeArchitecture(crosscoder, { k: 3 }, sites)
describeArchitecture(crosscoder, { activation: 'relu', l1Coefficient: 0.1 }, sites)
describeArchitecture(crossLayer, { k: 3 }, layers)
describeArchitecture(crossLayer, { activation: 'relu', l0Coefficient: 0.1 }, layers)

const context = { step: 0, total: 10, deadCount: 0, sparsity: 1, variance: 1, state: {} }
const matrix = (rows: number, columns: number, seed: number) =>
  tf.tensor2d(new Random(seed).normals(rows * columns), [rows, columns])

describe('the gated SAE', () => {
  test('freezes the decoder in the loss that trains the gate', () => {
    const config = gated.config.parse({ reconstruction: 'sum' })
    const params = gated.init({ width: 3, outputs: 3, latents: 5, sites: 1 }, config, new Random(0))
    const x = matrix(6, 3, 1)
    const auxiliary = () => gated.loss(params, { input: x, target: x }, config, context).terms.auxiliary!
    const { grads } = tf.engine().gradients(auxiliary as never, [params.wDec, params.bGate], null as never, true)
    expect(grads[0] ?? null).toBeNull()
    expect(grads[1]!.abs().max().dataSync()[0]).toBeGreaterThan(0)
  })
})

describe('the threshold of JumpReLU', () => {
  test('has the gradient of the step smoothed by its bandwidth', () => {
    // One row, pre-activations 0.9 and 2 against thresholds 1: only the first is within half of the bandwidth 0.5.
    const pre = tf.tensor2d([[0.9, 2]])
    const { grads } = tf
      .engine()
      .gradients(() => step(pre, tf.keep(theta), 0.5).sum() as never, [theta], null as never, true)
    const [near, far] = grads[0]!.dataSync()
    expect(near).toBeCloseTo(-2, 6)
    expect(far).toBeCloseTo(0, 6)
  })
  const theta = tf.tensor1d([1, 1])

  test('moves up when fewer latents are wanted, and down when more are', () => {
    const shape = { width: 4, outputs: 4, latents: 8, sites: 1 }
    const x = matrix(64, 4, 2)
    const slope = (targetL0: number) => {
      const config = jumprelu.config.parse({ sparsityLoss: 'target', targetL0, bandwidth: 2, thresholdForm: 'direct' })
      const params = jumprelu.init(shape, config, new Random(0))
      const loss = () => jumprelu.loss(params, { input: x, target: x }, config, context).terms.sparsity!
      const { grads } = tf.engine().gradients(loss as never, [params.threshold], null as never, true)
      return grads[0]!.sum().dataSync()[0]!
    }
    expect(slope(1)).toBeLessThan(0)
    expect(slope(8)).toBeGreaterThan(0)
  })

  test('adds the loss that pulls dead latents up: SAELens’s own example gives 1.3', () => {
    // Pre-activations and thresholds of the example, through an identity encoder.
    const pre = [
      [0.5, 1.5, 1, 0.8],
      [0.8, 2.5, 1.2, 0.2],
    ]
    const norms = [2, 1, 1.5, 3]
    const config = jumprelu.config.parse({
      preActCoefficient: 1,
      thresholdForm: 'direct',
      reconstruction: 'sum',
      decoderBiasOnInput: false,
    })
    const params = {
      wEnc: tf.eye(4) as Tensor2D,
      bEnc: tf.zeros([4]) as never,
      wDec: tf.diag(tf.tensor1d(norms)) as Tensor2D,
      bDec: tf.zeros([4]) as never,
      threshold: tf.tensor1d([1, 2, 1.5, 0.5]),
    }
    const x = tf.tensor2d(pre)
    const dead = tf.tensor1d([1, 0, 1, 0])
    const { terms } = jumprelu.loss(params, { input: x, target: x }, config, { ...context, dead, deadCount: 2 })
    expect(terms.preActivation!.dataSync()[0]).toBeCloseTo(1.3, 6)
  })
})

describe('matryoshka levels', () => {
  test('end with the whole dictionary', () => {
    expect(levelsOf([4, 8], 16)).toEqual([4, 8, 16])
    expect(levelsOf([4, 16], 16)).toEqual([4, 16])
    expect(levelsOf(undefined, 64)).toEqual([2, 8, 32, 64])
  })
  test('must rise', () => expect(() => levelsOf([8, 4], 16)).toThrow('widths must rise and stay below latents'))

  test('each reconstruct by a prefix: the last one is the reconstruction', () => {
    const config = matryoshka.config.parse({ k: 2, widths: [3] })
    const params = matryoshka.init({ width: 4, outputs: 4, latents: 6, sites: 1 }, config, new Random(0))
    const x = matrix(8, 4, 1)
    const { terms, latents, reconstruction } = matryoshka.loss(params, { input: x, target: x }, config, {
      ...context,
      state: { threshold: -1 },
    })
    expect(Object.keys(terms)).toEqual(['inner3', 'reconstruction'])
    const whole = matryoshka.decode(params, latents, config)
    expect(whole.sub(reconstruction).abs().max().dataSync()[0]).toBeLessThan(1e-6)
  })

  test('have an auxiliary loss each, where asked: a level’s dead latents against what that level leaves over', () => {
    const config = matryoshka.config.parse({ k: 1, widths: [2, 4], auxPerLevel: true, auxNormalise: 'none', auxK: 6 })
    const params = matryoshka.init({ width: 4, outputs: 4, latents: 6, sites: 1 }, config, new Random(0))
    const { wEnc, wDec } = params as { wEnc: Tensor2D; wDec: Tensor2D } // biases are zero
    const x = matrix(8, 4, 1)
    const state = { threshold: -1 }
    // None of the second level is dead.
    const dead = tf.tensor1d([1, 0, 0, 0, 1, 1])
    const { terms, latents } = matryoshka.loss(params, { input: x, target: x }, config, {
      ...{ ...context, state, dead, deadCount: 3 },
    })
    const part = (z: Tensor2D, from: number, to: number) =>
      tf.matMul(z.slice([0, from], [-1, to - from]), wDec.slice([from], [to - from]))
    const pre = tf.relu(tf.matMul(x, wEnc)) as Tensor2D
    const loss = (guess: Tensor, end: number) =>
      x
        .sub(part(latents, 0, end))
        .sub(guess)
        .square()
        .sum()
        .dataSync()[0]!
    const [first, last] = [loss(part(pre, 0, 1), 2), loss(part(pre, 4, 6), 6)]
    expect(terms.auxiliary!.dataSync()[0]).toBeCloseTo((first + last) / 8 / 32, 5)
  })
})

test('p falls in equal steps over its share of training', () => {
  const config = pAnneal.config.parse({ pStart: 1, pEnd: 0.5, pSteps: 5, annealFrom: 0.5, annealTo: 1 })
  expect([0, 49, 60, 80, 100].map(step => pAt(config, step, 100))).toEqual([1, 1, 0.9, 0.7, 0.5])
})

test('a transcoder starts by guessing the mean, whatever it reads', () => {
  const config = transcoder.config.parse({ k: 2 })
  const params = transcoder.init({ width: 4, outputs: 3, latents: 6, sites: 1 }, config, new Random(0))
  const x = matrix(5, 4, 1)
  const guess = transcoder.decode(params, transcoder.encode(params, x, config, {}), config, x)
  expect(guess.abs().max().dataSync()[0]).toBe(0)
})

test('a cross-layer transcoder writes to its own layer and later ones, never to earlier', () => {
  const config = crossLayer.config.parse({ activation: 'relu' })
  const params = crossLayer.init(layers.shape, config, new Random(0))
  const latents = tf.oneHot(tf.tensor1d([7], 'int32'), 12).cast('float32') as Tensor2D
  const guess = [...crossLayer.decode(params, latents, config).dataSync()]
  expect(guess.slice(0, 4)).toEqual([0, 0, 0, 0])
  expect(guess.slice(4).every(value => value !== 0)).toBe(true)
})
