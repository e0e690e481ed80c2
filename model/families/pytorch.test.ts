import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { buildModel } from '../build.ts'
import { expectedShapes } from '../shapes.ts'
import { untied } from '../weights.ts'
import { architectureOf } from './index.ts'
import { namedWeight } from './weights.fixture.ts'

const { tokens, cases } = z
  .object({
    tokens: z.array(z.array(z.int())),
    cases: z.array(
      z.object({
        name: z.string(),
        config: z.record(z.string(), z.unknown()),
        head: z.boolean(),
        logits: z.array(z.array(z.number())),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('pytorch.json', import.meta.url), 'utf8')))

beforeAll(() => startEngine())

describe('a config that is easy to read in another way gives what transformers computes', () => {
  test.each(cases)('$name', ({ config, head, logits }) => {
    const described = architectureOf(config)
    const shapes = expectedShapes(described)
    if (head) for (const [name, shape] of expectedShapes(untied(described))) shapes.set(name, shape)
    // With vision, transformers' names of the text model's weights begin with model. as they do without.
    const weights = Object.fromEntries([...shapes].map(([name, shape]) => [name, namedWeight(name, shape)]))
    const model = buildModel(config, weights, { path: 'a config', hash: '' })
    const last = tf.tidy(() =>
      model
        .run(tf.tensor2d(tokens, undefined, 'int32') as Tensor2D)
        .slice([0, tokens[0]!.length - 1, 0], [-1, 1, -1])
        .dataSync(),
    )
    model.dispose()
    const expected = logits.flat()
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.5)
    for (const [i, value] of last.entries()) expect(value).toBeCloseTo(expected[i]!, 3)
  })
})
