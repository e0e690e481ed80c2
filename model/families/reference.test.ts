import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { buildModel } from '../build.ts'
import type { Model } from '../model.ts'
import { siteOfTensor } from '../reference.ts'
import { namedWeights } from './weights.fixture.ts'

const { cases } = z
  .object({
    cases: z.array(
      z.object({
        name: z.string(),
        config: z.record(z.string(), z.unknown()),
        values: z.record(z.string(), z.array(z.number())),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('reference.json', import.meta.url), 'utf8')))

/** Those of reference.py. */
const tokens = [
  [1, 5, 3, 9, 0, 7, 10, 2],
  [2, 2, 7, 10, 4, 1, 1, 6],
]

beforeAll(() => startEngine())

/** The values of a site at the last position of the second row. */
function lastOf(model: Model, site: string): number[] {
  return tf.tidy(() => {
    const value = model.run(tf.tensor2d(tokens, undefined, 'int32') as Tensor2D, { until: site })
    const second = value.slice([1, ...value.shape.slice(1).map(() => 0)], [1, ...value.shape.slice(1)])
    // Patterns are [head, query, key], all else [position, …].
    const axis = site.endsWith('hook_pattern') ? 2 : 1
    const begin = second.shape.map((size, i) => (i === axis ? size - 1 : 0))
    const end = second.shape.map((size, i) => (i === axis ? 1 : size))
    return [...second.slice(begin, end).dataSync()]
  })
}

describe('every family computes what transformers does, site by site', () => {
  test.each(cases)('$name', ({ config, values }) => {
    const model = buildModel(config, namedWeights(config), { path: 'a config', hash: '' })
    const before = tf.memory().numTensors
    try {
      for (const [tensor, expected] of Object.entries(values)) {
        if (tensor === 'token_loss') continue
        const site = siteOfTensor(model, tensor, 'reference.json')
        const actual = lastOf(model, site)
        expect(actual.length, tensor).toBe(expected.length)
        const allowed = 2e-5 * (1 + Math.max(...expected.map(Math.abs)))
        for (const [i, value] of expected.entries())
          expect(Math.abs(actual[i]! - value), `${tensor}[${i}]: ${actual[i]} for ${value}`).toBeLessThan(allowed)
      }
      expect(tf.memory().numTensors).toBe(before)
    } finally {
      model.dispose()
    }
  })

  test('they are not all alike: what is last predicted differs from token to token', () => {
    for (const { values } of cases)
      expect(Math.max(...values.logits!) - Math.min(...values.logits!)).toBeGreaterThan(0.05)
  })
})
