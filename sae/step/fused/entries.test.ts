import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Random } from '../../../core/random.ts'
import { startEngine } from '../../../engine/engine.ts'
import { hostValues } from '../../../engine/host.ts'
import { canUpdate } from '../../../engine/ops/sae/update.ts'
import { type Tensor, type Tensor2D, tf } from '../../../engine/tf.ts'
import { plainStep } from '../../architecture.contract.ts'
import { architectureOf } from '../../architectures/index.ts'
import type { Stepper, StepSettings } from '../step.ts'
import { EntriesStepper } from './entries.ts'
import { fusedStepper } from './index.ts'
import { steppers } from './pair.fixture.ts'

beforeAll(() => startEngine())
const usual = EntriesStepper.densest
const shareOf = (share: number) => () => share
beforeEach(() => {
  EntriesStepper.densest = shareOf(1)
})
afterAll(() => {
  EntriesStepper.densest = usual
})

const width = 12
const shape = { width, outputs: width, latents: 40, sites: 1 }

/** The plain stepper and the fused one. */
function both(name: string, settings: Record<string, unknown>, step: Partial<StepSettings> = {}) {
  const { plain, fused } = steppers(name, settings, { ...plainStep, ...step }, shape)
  expect(fused).toBeInstanceOf(EntriesStepper)
  return { plain, fused }
}

const rows = (count: number, seed: number) => tf.tensor2d(new Random(seed).normals(count * width), [count, width])
const apart = (a: Tensor, b: Tensor) => hostValues(() => a.sub(b).abs().max())[0]!
/** Settings under which sparsity comes soon. */
const settingsOf = (name: string) =>
  name === 'jumprelu' ? { bandwidth: 0.5, initThreshold: 0.5, preActCoefficient: 1 } : { l1Coefficient: 2 }
const names = ['standard', 'p-anneal', 'gated', 'jumprelu']

describe.skipIf(!(await startEngine().then(canUpdate)))('the fused step from entries', () => {
  const cases: [string, Record<string, unknown>, Partial<StepSettings>][] = [
    ['standard', {}, {}],
    [
      'standard',
      { reconstruction: 'sum', l1Coefficient: 1 },
      { decoderNorm: 'free', projectGradient: false, gradientClip: 1 },
    ],
    ['standard', { weightByDecoderNorm: false, decoderBiasOnInput: false }, { optimiser: 'adamw', weightDecay: 0.1 }],
    [
      'standard',
      { lpNorm: 0.5, reconstruction: 'fvu' },
      { decoderNorm: 'free', projectGradient: false, sparsityWarmUp: 8 },
    ],
    ['standard', { l1Coefficient: 0.5 }, { optimiser: 'signum', learningRate: 0.001, decoderNorm: 'unit-before' }],
    ['p-anneal', { annealFrom: 0.1, annealTo: 0.5, pSteps: 4 }, { decoderNorm: 'free', projectGradient: false }],
    ['p-anneal', { pStart: 0.7, weightByDecoderNorm: false, reconstruction: 'mean' }, { gradientClip: 0.1 }],
    ['gated', {}, {}],
    [
      'gated',
      { detachDecoder: false, reconstruction: 'sum' },
      { decoderNorm: 'free', projectGradient: false, gradientClip: 1 },
    ],
    ['gated', { weightByDecoderNorm: false, decoderBiasOnInput: false }, { optimiser: 'signum', learningRate: 0.001 }],
    [
      'gated',
      { l1Coefficient: 1 },
      { decoderNorm: 'unit-before', sparsityWarmUp: 8, optimiser: 'adamw', weightDecay: 0.1 },
    ],
    ['jumprelu', { bandwidth: 0.5, initThreshold: 0.5 }, {}],
    [
      'jumprelu',
      { bandwidth: 0.5, initThreshold: 0.5, sparsityLoss: 'step', thresholdForm: 'direct', targetL0: 4 },
      { decoderNorm: 'free', projectGradient: false, gradientClip: 1 },
    ],
    [
      'jumprelu',
      { bandwidth: 0.6, initThreshold: 0.2, sparsityLoss: 'tanh', jumpToInput: true, preActCoefficient: 0.1 },
      { decoderNorm: 'free', projectGradient: false, sparsityWarmUp: 8 },
    ],
    [
      'jumprelu',
      { bandwidth: 0.6, initThreshold: 1, sparsityLoss: 'step', jumpToInput: true, preActCoefficient: 0.1 },
      { optimiser: 'signum', learningRate: 0.001 },
    ],
    [
      'jumprelu',
      {
        bandwidth: 0.3,
        initThreshold: 0.1,
        l0OfLatents: true,
        thresholdForm: 'direct',
        targetL0: 3,
        decoderBiasOnInput: false,
        reconstruction: 'sum',
      },
      { decoderNorm: 'unit-before', gradientClip: 1 },
    ],
  ]
  test.each(cases)('takes the steps of the plain one: %s %o %o', async (name, settings, step) => {
    // Where a gradient is nothing but rounding Adam would make a full step of it, but for this epsilon. The slope of a power
    // below 1 jumps by hundreds where a latent passes the smallest base, so there each step begins at the plain one's weights.
    const steep = 'lpNorm' in settings || name === 'p-anneal'
    const near = 3e-5
    const { plain, fused } = both(name, settings, { deadAfterTokens: 96, epsilon: 1e-3, ...step })
    for (let i = 0; i < 20; i++) {
      if (steep) fused.restore(await plain.snapshot())
      const input = rows(48, i + 1)
      const [a, b] = [plain, fused].map(
        stepper => stepper.take({ input, target: input }, { measure: true, count: true })!,
      )
      input.dispose()
      expect(Object.keys(b!.terms)).toEqual(Object.keys(a!.terms))
      for (const key of ['loss', 'fvu', 'l0', 'gradientNorm', 'rate'] as const)
        expect(Math.abs(b![key] - a![key]), `${key} of step ${i}`).toBeLessThan(near * Math.max(1, Math.abs(a![key])))
      for (const [key, term] of Object.entries(a!.terms))
        expect(Math.abs(b!.terms[key]! - term), key).toBeLessThan(near * Math.max(1, Math.abs(term)))
      expect(b!.dead).toBe(a!.dead)
    }
    const [a, b] = [plain.weights(), fused.weights()]
    expect(Object.keys(b)).toEqual(Object.keys(a))
    for (const [key, weight] of Object.entries(a)) expect(apart(weight, b[key]!), key).toBeLessThan(near)
    expect([...fused.firing.silent]).toEqual([...plain.firing.silent])
    expect([...fused.firing.fired]).toEqual([...plain.firing.fired])
    for (const [key, value] of Object.entries(plain.state)) expect(fused.state[key]).toBeCloseTo(value, 5)
    tf.dispose([...Object.values(a), ...Object.values(b)])
    plain.dispose()
    fused.dispose()
  })

  /** Takes steps `from` to `to`. */
  const take = (stepper: Stepper, from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const input = rows(48, i + 1)
      stepper.take({ input, target: input })
      input.dispose()
    }
  }

  test.each(names)('takes plain steps while a batch has many entries: %s', async name => {
    EntriesStepper.densest = shareOf(0)
    const { plain, fused } = both(name, {})
    take(plain, 0, 4)
    take(fused, 0, 4)
    expect(await fused.snapshot()).toEqual(await plain.snapshot())
    plain.dispose()
    fused.dispose()
  })

  test.each(names)('goes on from a snapshot in the same bits, some of its steps plain: %s', async name => {
    const { plain, fused } = both(name, settingsOf(name), { deadAfterTokens: 96 })
    EntriesStepper.densest = shareOf(0.45)
    let plainSteps = 0
    const takePlain = (fused as unknown as { takePlain: Stepper['take'] }).takePlain.bind(fused)
    ;(fused as unknown as { takePlain: Stepper['take'] }).takePlain = (...given) => {
      plainSteps++
      return takePlain(...given)
    }
    plain.dispose()
    take(fused, 0, 5)
    const snapshot = await fused.snapshot()
    take(fused, 5, 12)
    const end = await fused.snapshot()
    fused.restore(snapshot)
    take(fused, 5, 12)
    expect(await fused.snapshot()).toEqual(end)
    if (name !== 'jumprelu') expect(plainSteps).toBeGreaterThan(0)
    expect(plainSteps).toBeLessThan(19)
    fused.dispose()
  })

  test('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors
    for (const name of names)
      for (const densest of [0, 1]) {
        EntriesStepper.densest = shareOf(densest)
        const { plain, fused } = both(name, settingsOf(name), { deadAfterTokens: 48, gradientClip: 1 })
        plain.dispose()
        const input = rows(48, 1)
        for (let i = 0; i < 4; i++) fused.take({ input, target: input }, { measure: i % 2 === 0 })
        fused.restore(await fused.snapshot())
        fused.dispose()
        input.dispose()
      }
    expect(tf.memory().numTensors).toBe(before)
  })

  const degenerate: [string, () => Tensor2D][] = [
    ['zeros', () => tf.zeros([8, width])],
    ['one row', () => rows(1, 3)],
    ['equal rows', () => tf.tile(rows(1, 3), [8, 1])],
  ]
  test.each(degenerate)('stays finite on %s', (_, make) => {
    for (const name of names) {
      const { plain, fused } = both(name, settingsOf(name))
      plain.dispose()
      const input = make()
      for (let i = 0; i < 6; i++) fused.take({ input, target: input })
      expect(Number.isFinite(fused.take({ input, target: input }, { measure: true })!.loss), name).toBe(true)
      for (const weight of Object.values(fused.weights())) expect(weight.dataSync().every(Number.isFinite)).toBe(true)
      fused.dispose()
      input.dispose()
    }
  })

  test('is not there where it would compute something else', () => {
    const fits = (name: string, settings: object) => {
      const architecture = architectureOf(name)
      return (
        fusedStepper(architecture, architecture.config.parse(settings) as Record<string, unknown>, plainStep) !==
        undefined
      )
    }
    expect(fits('jumprelu', {})).toBe(true)
    expect(fits('jumprelu', { jumpToInput: true, l0OfLatents: true })).toBe(false)
    expect(fits('standard', { reconstruction: 'norm' })).toBe(false)
  })
})
