import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { tf } from '../engine/tf.ts'
import { sharedCase, sharedData } from '../tests/shared-data.ts'
import { loadModel } from './load.ts'
import { verifyModel } from './verify.ts'

beforeAll(() => startEngine())

/** Name, other configs to read it by. */
const models: [string, string[]][] = [
  ['tiny-gpt2', ['config.transformers5.json']],
  ['tiny-gpt-neox', ['config.transformers5.json']],
  ['tiny-llama3', ['config.transformers5.json']],
  ['tiny-mistral', ['config.transformers5.json']],
  ['tiny-qwen2', ['config.transformers5.json']],
  ['tiny-qwen3', ['config.transformers5.json']],
  ['tiny-gemma2', ['config.transformers5.json']],
  ['tiny-gemma3-text', ['config.transformers5.json']],
  ['stories260K', []],
  ['mixed-6l256', []],
]
const cases = models.flatMap(([name, others]) => ['config.json', ...others].map(config => ({ name, config })))

describe.each(cases)('$name by its $config', ({ name, config }) => {
  const path = sharedData('models', name, config)
  const reference = sharedData('goldens', `${name}.safetensors`)
  test.skipIf(!path || !reference)('agrees with PyTorch at every site within 1e-4', async () => {
    const model = await loadModel(path!)
    const tensors = tf.memory().numTensors
    const report = await verifyModel(model, reference!)
    expect(report.tensors.length).toBeGreaterThan(10)
    expect(report.tensors.filter(({ passed }) => !passed)).toEqual([])
    expect(report.largest).toBeLessThan(1e-4)
    expect(tf.memory().numTensors).toBe(tensors)
    model.dispose()
  })
})

describe('configs that can be read in more ways than one', () => {
  const cases = ['v-toptheta', 'v-thetain-scaling', 'v-tied-both'].map(
    name => [name, sharedCase('capture', 'models', name)] as const,
  )
  test.skipIf(cases.some(([, path]) => !path)).each(cases)('%s is what transformers makes of it', async (_, path) => {
    const model = await loadModel(path!)
    const report = await verifyModel(model, join(path!, 'ref.safetensors'))
    model.dispose()
    expect(report.tensors.filter(({ passed }) => !passed)).toEqual([])
  })

  const bidirectional = sharedCase('capture', 'models', 'gemma3-bidir')
  test.skipIf(!bidirectional)('attention in both directions is refused by the name of its key', () =>
    expect(loadModel(bidirectional!)).rejects.toThrow('the key use_bidirectional_attention (true)'),
  )
})
