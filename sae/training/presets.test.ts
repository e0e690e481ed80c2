import { describe, expect, test } from 'vitest'
import { resolveTraining, TrainConfig, type TrainInput } from './config.ts'

const resolve = (input: TrainInput) => resolveTraining(TrainConfig.parse(input) as TrainConfig)

describe('the preset dictionary_learning', () => {
  test('trains gated SAEs at 5e-5 without a first moment', () => {
    const { training } = resolve({ architecture: 'gated', preset: 'dictionary_learning' })
    expect(training).toMatchObject({ learningRate: 5e-5, beta1: 0, sparsityWarmUp: 2000, decoderBias: 'zero' })
    expect(training.gradientClip).toBeUndefined()
  })

  test('leaves the rate of the TopK family to the rule, and clips its gradients', () => {
    const { training } = resolve({ architecture: 'batchtopk', preset: 'dictionary_learning' })
    expect(training).toMatchObject({
      rateRule: 'latents',
      gradientClip: 1,
      decoderBias: 'geometric-median-absolute',
      inputScale: 'none',
    })
    expect(training.learningRate).toBeUndefined()
  })

  test('is overruled by what the user says', () => {
    const { training } = resolve({ architecture: 'jumprelu', preset: 'dictionary_learning', beta1: 0.5 })
    expect(training).toMatchObject({ beta1: 0.5, learningRate: 7e-5, gradientClip: 1 })
  })
})

test.each(['saelens', 'dictionary_learning'] as const)('%s does not pull dead JumpReLU latents', preset => {
  expect(resolve({ architecture: 'jumprelu', preset }).own.preActCoefficient).toBe(0)
  expect(resolve({ architecture: 'jumprelu' }).own.preActCoefficient).toBeGreaterThan(0)
})
