import { beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { tf } from '../engine/tf.ts'
import { sharedData } from '../tests/shared-data.ts'
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
