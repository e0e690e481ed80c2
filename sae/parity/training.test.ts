import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { canUpdate } from '../../engine/ops/sae/update.ts'
import { tf } from '../../engine/tf.ts'
import { sharedData } from '../../tests/shared-data.ts'
import { EntriesStepper } from '../step/fused/entries.ts'
import { verifyTraining } from './training.ts'

const folder = sharedData('goldens', 'sae-steps')
const references = folder ? readdirSync(folder).filter(name => name.endsWith('.safetensors')) : []

describe.skipIf(!folder)('twelve recorded steps of the libraries', () => {
  const { densest } = EntriesStepper
  beforeAll(() => startEngine())
  // Other files of tests share the process.
  afterEach(() => {
    EntriesStepper.densest = densest
  })

  test.each(references)('%s', async name => {
    const before = tf.memory().numTensors
    const { losses, weights, largest } = await verifyTraining(join(folder!, name))
    expect(Object.keys(weights).length).toBeGreaterThanOrEqual(4)
    if (!/dictionary_learning-(gated|standard)/.test(name)) expect(Object.keys(losses).length).toBeGreaterThan(0)
    expect(largest).toBeLessThan(1e-4)
    expect(tf.memory().numTensors).toBe(before)
  })

  test.each(references)('%s by the fused step, where there is one', async name => {
    const before = tf.memory().numTensors
    EntriesStepper.densest = () => 1
    const { step, largest } = await verifyTraining(join(folder!, name), { fused: true })
    if (canUpdate()) expect(step).toBe('fused')
    expect(largest).toBeLessThan(1e-4)
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('twelve steps that SAELens 6.54 took, recorded by docs/record_sae_steps.py', () => {
  beforeAll(() => startEngine())
  const recorded = fileURLToPath(new URL('recorded', import.meta.url))
  const names = readdirSync(recorded).filter(name => name.endsWith('.safetensors'))

  test.each(names)('%s', async name => {
    const before = tf.memory().numTensors
    const { losses, weights, largest } = await verifyTraining(join(recorded, name))
    expect(losses).toHaveProperty('total')
    expect(weights).toHaveProperty('W_dec')
    expect(largest).toBeLessThan(1e-5)
    expect(tf.memory().numTensors).toBe(before)
  })

  test('a fraction of k by the fused step, too', async () => {
    const { step, largest } = await verifyTraining(join(recorded, 'saelens-batchtopk-fraction.safetensors'), {
      fused: true,
    })
    if (canUpdate()) expect(step).toBe('fused')
    expect(largest).toBeLessThan(1e-5)
  })
})
