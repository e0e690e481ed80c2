import { expect, test } from 'vitest'
import { truthTable } from './sae-truth.ts'

const result = {
  architecture: 'batchtopk',
  samples: 20_480_000,
  measured: 1000,
  ...{ f1: 0.5, mcc: 0.25, uniqueness: 1, explainedVariance: 0.75, precision: 0.5, recall: 0.5 },
  ...{ l0: 24.987, shrinkage: 0.9, dead: 3, trueL0: 34 },
}

test('a row says how many samples are behind it; published rows stand under those of their own benchmark only', () => {
  const summary = { samples: 1, trueL0: 34, definitions: 'sae-truth-2', results: [result] } as const
  expect(truthTable({ ...summary, preset: 'small' })).toMatchInlineSnapshot(`
    "SAE        samples      F1     MCC  unique      EV     L0  dead
    batchtopk   20.48M  0.5000  0.2500  1.0000  0.7500  24.99     3"
  `)
  const [lines, short] = (['synthsaebench-16k', 'synthsaebench-16k-short'] as const).map(preset =>
    truthTable({ ...summary, preset }).split('\n'),
  )
  expect(short).toEqual(lines)
  expect(lines![1]).toMatch(/^batchtopk +20\.48M +0\.5000 /)
  expect(lines![2]).toMatch(/^BatchTopK, published +200M +0\.7316 +0\.7574 +0\.9837 +0\.7923 +25$/)
  expect(lines).toHaveLength(7)
})
