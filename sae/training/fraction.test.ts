import { expect, test } from 'vitest'
import { keptOf } from '../architectures/batchtopk.ts'
import { resolveTraining, TrainConfig, type TrainInput } from './config.ts'

const resolve = (input: TrainInput) => resolveTraining(TrainConfig.parse(input) as TrainConfig)

test.each(['batchtopk', 'matryoshka', 'crosscoder', 'cross-layer'] as const)(
  'k of %s may be a fraction',
  architecture => expect(resolve({ architecture, k: 12.5 }).own.k).toBe(12.5),
)

test.each(['topk', 'abstopk', 'matching-pursuit', 'transcoder'] as const)('k of %s is a whole number', architecture =>
  expect(() => resolve({ architecture, k: 12.5 })).toThrow(/k .*int/),
)

test('a batch keeps the nearest whole number of latents, whatever the fraction is in binary', () => {
  expect(keptOf(12.5, 3)).toBe(38)
  // 0.29 · 100 is 28.999999999999996.
  expect(keptOf(0.29, 100)).toBe(29)
  expect(keptOf(12, 4096)).toBe(49_152)
})
