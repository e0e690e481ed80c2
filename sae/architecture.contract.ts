/** What every architecture must hold: one call in its test file runs this suite. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { startEngine } from '../engine/engine.ts'
import { hostValues } from '../engine/host.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { Architecture, Batch, LossContext, Params, Shape } from './architecture.ts'
import { loadSae, saveSae } from './formats/saelens.ts'
import { Stepper, type StepSettings } from './step/step.ts'

/** Plain settings of a step, for tests. */
export const plainStep: StepSettings = {
  optimiser: 'adam',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  learningRate: 0.01,
  schedule: 'constant',
  warmUp: 0,
  decay: 0,
  finalRate: 0,
  warmUpFromZero: false,
  decoderNorm: 'unit',
  projectGradient: true,
  deadAfterTokens: 20,
  sparsityWarmUp: 0,
}

export interface ContractOptions {
  shape?: Shape
  /** Weights whose gradient is not that of the loss but a straight-through one; they are tested apart. */
  straightThrough?: readonly string[]
}

/** Runs the shared suite for an architecture with these settings. */
export function describeArchitecture(
  architecture: Architecture,
  settings: Record<string, unknown>,
  { shape = { width: 5, outputs: 5, latents: 12, sites: 1 }, straightThrough = [] }: ContractOptions = {},
): void {
  const predicts = architecture.reads === 'target' || architecture.reads === 'layers'
  const config = architecture.config.parse(settings) as Record<string, unknown>
  const fresh = (seed = 0) => architecture.init(shape, config, new Random(seed, 'weights')) as Params
  const matrix = (rows: number, columns: number, seed: number) =>
    tf.tensor2d(new Random(seed).normals(rows * columns), [rows, columns])
  const batchOf = (rows: number, seed = 7): Batch => {
    const input = matrix(rows, shape.width, seed)
    return { input, target: predicts ? matrix(rows, shape.outputs, seed + 1) : input }
  }
  const dead = () => tf.tensor1d(Float32Array.from({ length: shape.latents }, (_, i) => (i % 3 === 0 ? 1 : 0)))
  const state = architecture.state?.(config) ?? {}
  const context = (): LossContext => ({
    step: 3,
    total: 10,
    dead: dead(),
    deadCount: Math.ceil(shape.latents / 3),
    sparsity: 1,
    variance: 2,
    state,
  })
  const stepper = (params: Params) =>
    new Stepper({
      architecture,
      own: config,
      settings: { ...plainStep, ...architecture.training },
      shape,
      params,
      total: 10,
      variance: 2,
    })

  describe(`the architecture ${architecture.name}`, () => {
    beforeAll(() => startEngine())

    test('encodes rows to latents and decodes them to targets', () => {
      const params = fresh()
      const { input } = batchOf(4)
      const latents = architecture.encode(params, input, config, state)
      expect(latents.shape).toEqual([4, shape.latents])
      expect(architecture.decode(params, latents, config, input).shape).toEqual([4, shape.outputs])
    })

    test('draws the same weights from the same seed, and others from another', () => {
      const values = (params: Params) => Object.values(params).map(weight => [...weight.dataSync()])
      expect(values(fresh(1))).toEqual(values(fresh(1)))
      expect(values(fresh(1))).not.toEqual(values(fresh(2)))
    })

    test('has the gradients that finite differences find', () => {
      const params = nudged(fresh())
      const batch = batchOf(6)
      // Without dead latents: the auxiliary loss stops the gradient at the residual, which differences cannot see.
      const { dead: _dead, ...rest } = context()
      const now: LossContext = { ...rest, deadCount: 0 }
      const names = Object.keys(params)
      const entries = process.env.PIPELINE_LONG ? 12 : 6
      const lossOf = (weights: Params) =>
        hostValues(() => tf.addN(Object.values(architecture.loss(weights, batch, config, now).terms)))[0]!
      const { grads } = tf
        .engine()
        .gradients(
          () => tf.addN(Object.values(architecture.loss(params, batch, config, now).terms)) as never,
          Object.values(params),
          null as never,
          true,
        )
      for (const [i, name] of names.entries()) {
        if (straightThrough.includes(name)) continue
        const gradient = grads[i]?.dataSync() ?? new Float32Array(params[name]!.size)
        const largest = Math.max(...gradient.map(Math.abs), 1e-3)
        // float32 losses carry about 1e-7 of noise, so the step is large and the check is of the leading digits.
        const wrong: string[] = []
        for (let j = 0; j < params[name]!.size; j += Math.ceil(params[name]!.size / entries)) {
          const slope = (by: number) => {
            const moved = moveOne(params[name]!, j, by)
            const loss = lossOf({ ...params, [name]: moved })
            moved.dispose()
            return loss
          }
          const found = (slope(1e-3) - slope(-1e-3)) / 2e-3
          if (Math.abs(found - gradient[j]!) > 0.02 * largest + 2e-3)
            wrong.push(`${name}[${j}]: ${found} against ${gradient[j]}`)
        }
        // One entry may sit where a latent enters or leaves the top k, and the loss jumps.
        expect(wrong.length, wrong.join(', ')).toBeLessThanOrEqual(1)
      }
    })

    test('is the same SAE after it was saved and loaded', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'architecture-'))
      const params = nudged(fresh())
      const { input } = batchOf(9)
      const trained = architecture.observe?.(
        architecture.loss(params, batchOf(9), config, context()).latents,
        config,
        context(),
      )
      // Just after its first step a threshold lies on a latent, where rounding decides; move it off.
      const now = { ...(trained ?? state) }
      if (now.threshold) now.threshold *= 0.9
      const saved = architecture.save(params, config, now)
      await saveSae(folder, { ...saved, metadata: { hook_name: 'site' } })
      const sae = await loadSae(folder)
      const latents = architecture.encode(params, input, config, now)
      expectClose(sae.encodeDense(input), latents)
      expectClose(sae.decode(sae.encode(input), input), architecture.decode(params, latents, config, input))
      await rm(folder, { recursive: true })
    })

    test('lowers its loss on a batch that it sees again and again', () => {
      const training = stepper(fresh())
      const batch = batchOf(32)
      const first = training.take(batch, { measure: true })!.loss
      for (let i = 0; i < 15; i++) training.take(batch)
      expect(training.take(batch, { measure: true })!.loss).toBeLessThan(first)
      training.dispose()
    })

    test.each([
      ['zeros', () => tf.zeros([8, shape.width]) as Tensor2D],
      ['one row', () => matrix(1, shape.width, 3)],
      ['equal rows', () => tf.tile(matrix(1, shape.width, 3), [8, 1])],
      ['huge rows', () => matrix(8, shape.width, 3).mul<Tensor2D>(1e6)],
    ])('takes a step on a batch of %s and stays finite', (_, make) => {
      const training = stepper(fresh())
      const input = make()
      const target = predicts ? (tf.zeros([input.shape[0], shape.outputs]) as Tensor2D) : input
      for (let i = 0; i < 5; i++) training.take({ input, target })
      const report = training.take({ input, target }, { measure: true })!
      expect(Number.isFinite(report.loss)).toBe(true)
      for (const [name, weight] of Object.entries(training.params))
        expect(weight.dataSync().every(Number.isFinite), name).toBe(true)
      training.dispose()
    })

    test('leaves no tensor behind', () => {
      const batch = batchOf(16)
      const before = tf.memory().numTensors
      const training = stepper(fresh())
      for (let i = 0; i < 4; i++) training.take(batch, { measure: true, count: true })
      training.dispose()
      expect(tf.memory().numTensors).toBe(before)
    })
  })
}

/** Weights off their symmetric start, so that no gradient is zero by accident. */
function nudged(params: Params): Params {
  const random = new Random(11)
  return Object.fromEntries(
    Object.entries(params).map(([name, weight]) => [
      name,
      weight.add(tf.tensor(random.normals(weight.size, name === 'threshold' ? 0.001 : 0.05), weight.shape)),
    ]),
  )
}

function moveOne(weight: Tensor, at: number, by: number): Tensor {
  const values = weight.dataSync().slice()
  values[at]! += by
  return tf.tensor(values, weight.shape)
}

/** Equal to 1e-5 of the largest value. */
export function expectClose(found: Tensor, expected: Tensor, tolerance = 1e-5): void {
  expect(found.shape).toEqual(expected.shape)
  const difference = hostValues(() => found.sub(expected).abs().max())[0]!
  const size = hostValues(() => expected.abs().max())[0]!
  expect(difference).toBeLessThanOrEqual(tolerance * Math.max(1, size))
}
