import { expect, test } from 'vitest'
import { resolveTraining, TrainConfig, type TrainInput } from './config.ts'

const resolve = (input: TrainInput) => resolveTraining(TrainConfig.parse(input) as TrainConfig)

test.each<[TrainInput, string]>([
  [{ weightDecay: 0.1 }, 'weightDecay is of the optimiser adamw, and the optimiser is adam.'],
  [{ optimiser: 'signum', beta2: 0.9 }, 'beta2 belongs to a second moment, and the optimiser signum has none.'],
  [
    { schedule: 'cosine', decay: 0.5 },
    'decay says when the schedule linear begins to fall, and the schedule is cosine.',
  ],
  [
    { schedule: 'constant', finalRate: 0.1 },
    'finalRate says where the learning rate ends, and the schedule is constant.',
  ],
  [{ learningRate: 1e-3, rateRule: 'latents' }, 'rateRule chooses a learning rate, and learningRate is given.'],
  [{ epochs: 2, tokens: 1000 }, 'epochs says how many rows are learned from, and so does tokens.'],
  [{ sparsityWarmUp: 10 }, 'sparsityWarmUp raises a sparsity loss, and topk has none.'],
  [{ architecture: 'jumprelu', kAnneal: 10 }, 'kAnneal lowers k, and jumprelu has none.'],
  [
    { freeze: 'decoder', decoderNorm: 'free' },
    'decoderNorm says how decoder rows change, and freeze keeps them as they are.',
  ],
  [{ kFrom: 64 }, 'kFrom says where kAnneal begins, and kAnneal is not given.'],
  [{ kAnneal: 10, kFrom: 4, k: 8 }, 'kFrom is 4, but k falls from it to 8.'],
])('%j: train key %s', (input, message) => {
  expect(() => resolve(input)).toThrow(message)
})

test.each<TrainInput>([
  { optimiser: 'adamw', weightDecay: 0.1, beta2: 0.9 },
  { schedule: 'linear', decay: 0.5, finalRate: 0.1 },
  { schedule: 'cosine', finalRate: 0.1 },
  { architecture: 'jumprelu', sparsityWarmUp: 10 },
  { architecture: 'crosscoder', activation: 'batchtopk', kAnneal: 10 },
  { kAnneal: 10, kFrom: 64 },
  { freeze: 'encoder', decoderNorm: 'unit-before' },
  { weightDecay: 0, decay: 0, schedule: 'constant' },
])('%j has a meaning', input => {
  expect(() => resolve(input)).not.toThrow()
})

test.each(['saelens', 'dictionary_learning', 'sparsify'] as const)(
  'what the preset %s brings is not held against the user',
  preset => {
    expect(() => resolve({ preset, learningRate: 1e-3 })).not.toThrow()
  },
)
