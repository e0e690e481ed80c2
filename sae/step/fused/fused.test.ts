import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../../core/random.ts'
import { startEngine } from '../../../engine/engine.ts'
import { hostValues } from '../../../engine/host.ts'
import { canUpdate } from '../../../engine/ops/sae/update.ts'
import { type Tensor, tf } from '../../../engine/tf.ts'
import { plainStep } from '../../architecture.contract.ts'
import { architectureOf } from '../../architectures/index.ts'
import type { Stepper, StepSettings } from '../step.ts'
import { fusedStepper } from './index.ts'
import { steppers } from './pair.fixture.ts'

beforeAll(() => startEngine())

const variants = ['topk', 'batchtopk', 'matryoshka', 'transcoder', 'skip-transcoder', 'crosscoder']
const shapes: Record<string, { width: number; outputs: number; latents: number; sites: number }> = {
  transcoder: { width: 12, outputs: 7, latents: 40, sites: 1 },
  'skip-transcoder': { width: 12, outputs: 7, latents: 40, sites: 1 },
  crosscoder: { width: 12, outputs: 12, latents: 40, sites: 3 },
}

/** Crosscoders must leave their decoder norms free. */
const freely = (name: string): Partial<StepSettings> => (name === 'crosscoder' ? { decoderNorm: 'free' } : {})

function both(name: string, settings: Record<string, unknown>, step: Partial<StepSettings> = freely(name)) {
  const shape = shapes[name] ?? { width: 12, outputs: 12, latents: 40, sites: 1 }
  return steppers(name, settings, { ...plainStep, ...step }, shape)
}

const rows = (count: number, seed: number, width = 12) =>
  tf.tensor2d(new Random(seed).normals(count * width), [count, width])

/** What a stepper learns from: another site's rows where it predicts one. */
function batchOf({ shape: { width, outputs } }: Stepper, input: ReturnType<typeof rows>) {
  return {
    input,
    target: outputs === width ? input : tf.tidy(() => input.slice([0, 0], [-1, outputs]).abs() as typeof input),
  }
}

const apart = (a: Tensor, b: Tensor) => hostValues(() => a.sub(b).abs().max())[0]!

describe.skipIf(!(await startEngine().then(canUpdate)))('the fused step', () => {
  test.each([
    ['topk', { k: 4 }, {}],
    ['topk', { k: 4, reconstruction: 'sum', auxNormalise: 'none', auxScaleByDead: true }, { gradientClip: 0.5 }],
    [
      'topk',
      { k: 3, reconstruction: 'mean', decoderBiasOnInput: false, auxCoefficient: 0 },
      { decoderNorm: 'free', projectGradient: false },
    ],
    [
      'topk',
      { k: 4, reconstruction: 'fvu', auxNormalise: 'target', auxK: 2 },
      { optimiser: 'adamw', weightDecay: 0.1 },
    ],
    ['topk', { k: 4 }, { optimiser: 'signum', learningRate: 0.001 }],
    ['topk', { k: 2 }, { kAnneal: 6, kFrom: 12 }],
    ['batchtopk', { k: 3.5 }, {}],
    // A row with one latent of a tied encoder has no gradient but rounding; the larger epsilon keeps Adam from acting on it.
    ['batchtopk', { k: 1, auxCoefficient: 0 }, { gradientClip: 1, epsilon: 1e-3 }],
    ['batchtopk', { k: 4, rescaleByDecoderNorm: true }, { decoderNorm: 'free', projectGradient: false }],
    ['topk', { k: 4, rescaleByDecoderNorm: true, auxRelu: false, auxDecoderBias: true }, { decoderNorm: 'free' }],
    ['topk', { k: 4, auxRelu: false, auxK: 3 }, { decoderNorm: 'unit-before', gradientClip: 0.4 }],
    ['matryoshka', { k: 4 }, {}],
    ['matryoshka', { k: 4, widths: [1, 2, 30], levelWeights: [0.5, 0, 2, 1] }, { gradientClip: 0.5 }],
    ['matryoshka', { k: 3, widths: [], reconstruction: 'sum' }, { decoderNorm: 'free' }],
    ['matryoshka', { k: 2, widths: [10, 20], auxPerLevel: true, auxK: 3 }, { epsilon: 1e-3 }],
    [
      'matryoshka',
      { k: 2, widths: [5, 30], levelWeights: [1, 1, 1], auxPerLevel: true, auxScaleByDead: true, auxDecoderBias: true },
      { decoderNorm: 'free', gradientClip: 0.5, epsilon: 1e-3 },
    ],
    [
      'matryoshka',
      { k: 6, widths: [7, 20], auxCoefficient: 0, levelWeights: [1, 1, 0], decoderBiasOnInput: false },
      { projectGradient: false },
    ],
    ['transcoder', { k: 4 }, { decoderNorm: 'free', projectGradient: false }],
    ['skip-transcoder', { k: 4 }, { decoderNorm: 'free', projectGradient: false, gradientClip: 0.5 }],
    ['skip-transcoder', { k: 4, reconstruction: 'mean' }, { decoderNorm: 'unit', optimiser: 'signum' }],
    ['crosscoder', { k: 4 }, { decoderNorm: 'free', projectGradient: false }],
    ['crosscoder', { k: 2.5, reconstruction: 'sum' }, { decoderNorm: 'free', gradientClip: 1 }],
  ] as [string, Record<string, unknown>, Partial<StepSettings>][])(
    'takes the steps of the plain one: %s %o %o',
    (name, settings, step) => {
      const { plain, fused } = both(name, settings, { deadAfterTokens: 32, ...step })
      let dead = 0
      for (let i = 0; i < 12; i++) {
        const input = rows(32, i + 1)
        const batch = batchOf(plain, input)
        const [a, b] = [plain, fused].map(stepper => stepper.take(batch, { measure: true, count: true })!)
        tf.dispose([input, batch.target])
        expect(Object.keys(b!.terms)).toEqual(Object.keys(a!.terms))
        for (const key of ['loss', 'fvu', 'l0', 'gradientNorm', 'rate'] as const)
          expect(Math.abs(b![key] - a![key]), key).toBeLessThan(5e-4 * Math.max(1, Math.abs(a![key])))
        expect(b!.dead).toBe(a!.dead)
        dead += a!.dead
      }
      expect(dead, 'latents that AuxK is for').toBeGreaterThan(0)
      const [a, b] = [plain.weights(), fused.weights()]
      for (const [key, weight] of Object.entries(a)) expect(apart(weight, b[key]!), key).toBeLessThan(1e-4)
      expect([...fused.firing.silent]).toEqual([...plain.firing.silent])
      expect([...fused.firing.fired]).toEqual([...plain.firing.fired])
      if (plain.state.threshold) expect(fused.state.threshold).toBeCloseTo(plain.state.threshold, 5)
      plain.dispose()
      fused.dispose()
    },
  )

  test.each(variants)('goes on from a snapshot in the same bits: %s', async name => {
    const { plain, fused } = both(name, { k: 4 }, { deadAfterTokens: 32, ...freely(name) })
    plain.dispose()
    const take = (stepper: Stepper, from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const input = rows(32, i + 1)
        const batch = batchOf(stepper, input)
        stepper.take(batch)
        tf.dispose([input, batch.target])
      }
    }
    take(fused, 0, 5)
    const snapshot = await fused.snapshot()
    take(fused, 5, 10)
    const end = await fused.snapshot()
    fused.restore(snapshot)
    take(fused, 5, 10)
    expect(await fused.snapshot()).toEqual(end)
    fused.dispose()
  })

  test.each(variants)('leaves no tensor behind: %s', async name => {
    const before = tf.memory().numTensors
    const { plain, fused } = both(name, { k: 4 }, { deadAfterTokens: 48, ...freely(name) })
    plain.dispose()
    const input = rows(48, 1)
    const batch = batchOf(fused, input)
    for (let i = 0; i < 4; i++) fused.take(batch, { measure: true })
    fused.restore(await fused.snapshot())
    tf.dispose([fused.weights(), input, batch.target])
    fused.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  test.each([
    ['zeros', () => tf.zeros([8, 12])],
    ['one row', () => rows(1, 3)],
    ['equal rows', () => tf.tile(rows(1, 3), [8, 1])],
  ])('stays finite on %s', (_, make) => {
    for (const name of variants) {
      const { plain, fused } = both(name, { k: 4 })
      plain.dispose()
      const input = make() as ReturnType<typeof rows>
      const batch = batchOf(fused, input)
      for (let i = 0; i < 6; i++) fused.take(batch)
      expect(Number.isFinite(fused.take(batch, { measure: true })!.loss)).toBe(true)
      for (const weight of Object.values(fused.weights())) expect(weight.dataSync().every(Number.isFinite)).toBe(true)
      fused.dispose()
    }
  })

  test('is not taken where it would compute something else', () => {
    const fits = (name: string, settings: object, step = {}) => {
      const architecture = architectureOf(name)
      const config = architecture.config.parse(settings) as Record<string, unknown>
      return fusedStepper(architecture, config, { ...plainStep, ...step }) !== undefined
    }
    expect(fits('topk', {})).toBe(true)
    expect(fits('topk', { auxToEncoder: false })).toBe(false)
    expect(fits('matryoshka', { levelWeights: [1, 1, 1, 0] })).toBe(false)
    expect(fits('matryoshka', { levelWeights: [0, 1, 1, 1] })).toBe(true)
    expect(fits('matryoshka', { levelWeights: [0, 1, 1, 1], auxPerLevel: true })).toBe(false)
    expect(fits('crosscoder', { activation: 'relu' })).toBe(false)
    expect(fits('cross-layer', {})).toBe(false)
  })
})
