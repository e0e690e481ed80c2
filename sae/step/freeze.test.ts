import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { canUpdate } from '../../engine/ops/sae/update.ts'
import { tf } from '../../engine/tf.ts'
import { plainStep } from '../architecture.contract.ts'
import { architectureOf } from '../architectures/index.ts'
import { steppers } from './fused/pair.fixture.ts'
import { Stepper, type StepSettings } from './step.ts'

beforeAll(() => startEngine())

const shape = { width: 10, outputs: 10, latents: 24, sites: 1 }
const kinds: readonly (readonly [string, Record<string, unknown>])[] = [
  ['topk', { k: 4 }],
  ['batchtopk', { k: 3.5 }],
  ['matryoshka', { k: 4, widths: [10] }],
  ['standard', {}],
  ['jumprelu', {}],
  ['gated', {}],
]
const matrices = { encoder: 'wEnc', decoder: 'wDec' } as const
const fusedToo = await startEngine().then(canUpdate)

const bytes = (stepper: Stepper, name: string) => {
  const weight = stepper.weight(name)!
  const values = [...(weight.dataSync() as Float32Array)]
  weight.dispose()
  return values
}

function learn(stepper: Stepper, steps = 6): void {
  for (let step = 0; step < steps; step++) {
    const input = tf.tensor2d(new Random('freeze', step).normals(40 * 10), [40, 10])
    stepper.take({ input, target: input }, { measure: step === 0 })
    input.dispose()
  }
}

describe.each(kinds)('%s', (name, own) => {
  const others = ['wEnc', 'wDec', 'bDec']
  test.each(['encoder', 'decoder'] as const)('a frozen %s keeps every byte, and all else learns', freeze => {
    const settings: StepSettings = { ...plainStep, decoderNorm: 'unit', weightDecay: 0.1, optimiser: 'adamw', freeze }
    const architecture = architectureOf(name)
    const config = architecture.config.parse(own) as Record<string, unknown>
    const plain = () =>
      new Stepper({
        ...{ architecture, own: config, settings, shape, total: 20, variance: 3 },
        params: architecture.init(shape, config, new Random(0, 'weights')),
      })
    const pair = fusedToo ? steppers(name, own, settings, shape) : { plain: plain(), fused: plain() }
    for (const stepper of Object.values(pair)) {
      const before = Object.fromEntries(others.map(one => [one, bytes(stepper, one)]))
      learn(stepper)
      for (const one of others) {
        const after = bytes(stepper, one)
        if (one === matrices[freeze]) expect(after).toEqual(before[one])
        else expect(after).not.toEqual(before[one])
      }
    }
    // The fused step learns what the plain one does.
    for (const one of others)
      bytes(pair.plain, one).forEach((value, i) => {
        expect(Math.abs(value - bytes(pair.fused, one)[i]!)).toBeLessThan(2e-4)
      })
    for (const stepper of Object.values(pair)) stepper.dispose()
  })
})

test('a snapshot of a frozen training goes on to the same bytes', async () => {
  const settings: StepSettings = { ...plainStep, freeze: 'encoder' }
  const made = () => (fusedToo ? steppers('topk', { k: 4 }, settings, shape).fused : undefined)
  const [whole, cut] = [made(), made()]
  if (!whole || !cut) return
  learn(whole, 6)
  learn(cut, 6)
  const snapshot = await cut.snapshot()
  const again = made()!
  again.restore(snapshot)
  learn(whole, 3)
  learn(again, 3)
  for (const name of ['wEnc', 'wDec', 'bEnc']) expect(bytes(again, name)).toEqual(bytes(whole, name))
  for (const stepper of [whole, cut, again]) stepper.dispose()
})

test('no tensor is left, and an architecture without such a matrix says so', () => {
  const settings: StepSettings = { ...plainStep, freeze: 'decoder' }
  const before = tf.memory().numTensors
  const architecture = architectureOf('topk')
  const own = architecture.config.parse({ k: 4 }) as Record<string, unknown>
  const params = () => architecture.init(shape, own, new Random(0, 'weights'))
  const parts = { architecture, own, settings, shape, total: 20, variance: 3 }
  const stepper = new Stepper({ ...parts, params: params() })
  learn(stepper, 2)
  stepper.dispose()
  expect(tf.memory().numTensors).toBe(before)
  const { wDec, ...rest } = params()
  expect(() => new Stepper({ ...parts, params: rest })).toThrow('freeze decoder does not apply to topk')
  tf.dispose([wDec!, ...Object.values(rest)])
})
