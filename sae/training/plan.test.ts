import { expect, test } from 'vitest'
import { resolveTraining, TrainConfig, type TrainInput } from './config.ts'
import { makePlan } from './plan.ts'
import type { ActivationSource } from './rows.ts'

const capture: ActivationSource = {
  rows: 80,
  sites: [{ name: 'site', width: 4 }],
  readRange: async () => new Float32Array(),
}

/** The plan of eight steps. */
const planned = (input: TrainInput) => {
  const config = TrainConfig.parse({ batchTokens: 10, ...input }) as TrainConfig
  return makePlan(resolveTraining(config), config, capture, 0)
}

test.each([
  ['warmUp', { schedule: 'constant' }],
  ['decay', {}],
  ['kAnneal', { k: 4 }],
  ['densityWindow', {}],
  ['sparsityWarmUp', { architecture: 'standard' }],
] as const)('a %s that was asked for is refused where the training is shorter', (key, others) => {
  expect(planned({ ...others, [key]: 6 }).steps).toBe(8)
  expect(() => planned({ ...others, [key]: 9 })).toThrow(`train key ${key} is 9 steps, but the training has only 8.`)
})

test('a length that a preset asks for is cut to the training', () => {
  expect(planned({ preset: 'dictionary_learning' }).settings.warmUp).toBeLessThanOrEqual(8)
})
