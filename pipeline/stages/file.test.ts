/** What the sections of a pipeline file mean for its stages. */
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../core/config.ts'
import { PipelineConfig, sections, stagesOf } from './file.ts'
import { stages } from './index.ts'
import { stageSchema } from './stage.ts'

const planned = (file: object) => stagesOf(parseConfig(PipelineConfig, file, 'run'))
const settings = (file: object, done: Record<string, string> = {}) =>
  Object.fromEntries(planned(file).map(one => [one.stage.stage, one.settings(done)]))

test('sections are done in the order of the data, whatever their order in the file', () => {
  expect(sections).toEqual(['capture', 'train', 'validate', 'label', 'report'])
  const file = {
    report: {},
    validate: {},
    capture: { sites: ['blocks.0.hook_resid_post'] },
    model: 'm',
    dataset: { path: 't' },
  }
  expect(planned(file).map(({ stage }) => stage.stage)).toEqual(['capture', 'validate', 'report'])
})

describe('a stage', () => {
  test('reads the runs that were made before it, unless its section names others', () => {
    const done = { train: 'my-train', validate: 'my-validate' }
    expect(settings({ label: {} }, done).label).toMatchObject({ sae: 'my-train', evidence: 'my-validate' })
    expect(settings({ label: { sae: 'other' } }, done).label).toMatchObject({ sae: 'other', evidence: 'my-validate' })
    expect(settings({ label: {} }).label).not.toHaveProperty('sae')
  })

  test('is given the model and text of the file where it reads any, with a capture and without', () => {
    const file = {
      model: 'm',
      dataset: { path: 't' },
      train: { capture: 'old' },
      validate: { sae: 's' },
      label: { model: 'n' },
    }
    const { train, validate, label } = settings(file)
    expect(train).not.toHaveProperty('model')
    expect(validate).toMatchObject({ model: 'm', dataset: { path: 't' } })
    expect(label).toMatchObject({ model: 'n', dataset: { path: 't' } })
  })

  test('takes seed, engine and prefix from the file, and precision only for training', () => {
    const file = {
      name: 'mine',
      seed: 5,
      engine: 'wasm',
      precision: 'bf16',
      train: { capture: 'c' },
      validate: { sae: 's', seed: 6 },
    }
    const { train, validate } = settings(file)
    expect(train).toMatchObject({ prefix: 'mine-train', seed: 5, engine: 'wasm', precision: 'bf16' })
    expect(validate).toMatchObject({ prefix: 'mine-validate', seed: 6, precision: 'float32' })
  })

  test('gets settings that its own schema takes', () => {
    const file = {
      ...{ model: 'm', dataset: { path: 't' }, capture: { sites: ['blocks.0.hook_resid_post'] }, train: { k: 4 } },
      ...{ validate: { gates: { minimumPassed: 2 } }, label: {}, report: {} },
    }
    for (const { stage, settings } of planned(file)) {
      const given = settings({ capture: 'c', train: 's', validate: 'e', label: 'l' })
      const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
      expect(() => parseConfig(stageSchema(stage), defined, stage.stage)).not.toThrow()
    }
  })
})

describe('a file is refused before anything is done', () => {
  test.each<[string, object, string]>([
    ['that has no section', { model: 'm' }, 'has no section capture, train, validate, label or report'],
    [
      'whose model no stage reads',
      { model: 'm', train: { capture: 'c' } },
      'The file names a model, but none of its stages (train) reads one.',
    ],
    [
      'whose dataset no stage reads',
      { dataset: { path: 't' }, report: { sae: 's' } },
      'The file names a dataset, but none',
    ],
    [
      'whose name leaves no room for the words of its ids',
      { name: 'x'.repeat(92), train: { capture: 'c' } },
      'it has 98 letters, and 72 are the most',
    ],
    ['whose name is no folder name', { name: '../up', train: { capture: 'c' } }, 'is not usable'],
  ])('%s', (_, file, sentence) => {
    expect(() => planned(file)).toThrow(sentence)
  })
})

describe('the table of stages', () => {
  test('names each once, and reads only what stands before', () => {
    const names = stages.map(({ stage }) => stage.stage)
    expect(new Set(names).size).toBe(names.length)
    stages.forEach(({ inFile }, i) => {
      for (const from of Object.values(inFile?.reads ?? {})) expect(names.slice(0, i)).toContain(from)
    })
  })

  test('gives every key that a stage reads runs by to its schema', () => {
    for (const { stage, inFile } of stages)
      for (const key of Object.keys(inFile?.reads ?? {})) expect(Object.keys(stageSchema(stage).shape)).toContain(key)
  })
})
