/** Planted truths come out as what they are: a little in every run, the tables of docs/calibration.md in long ones. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { conceptCount } from '../../latents/fake.fixture.ts'
import { mean } from '../../statistics/descriptive.ts'
import { cosines, mixed, proveDirection, proveOneAmong } from './directions.ts'
import { madeWorld } from './made-world.ts'
import { truthNames } from './planted/index.ts'
import { proveTruths } from './prove-truths.ts'
import type { ProvedClaim } from './run-case.ts'
import { dot, unit } from './subjects.ts'
import type { World } from './world.ts'

const long = Boolean(process.env.PIPELINE_LONG)
const latents = Array.from({ length: conceptCount }, (_, i) => i)
let world: World

beforeAll(async () => {
  await startEngine()
  world = madeWorld()
})
afterAll(() => world.dispose())

const supported = (claims: readonly ProvedClaim[]) =>
  claims.filter(({ verdict }) => verdict === 'pass').length / claims.length

test('a mixture has the cosine that it says, and is of length 1', () => {
  const direction = unit(new Random('direction').normals(20))
  for (const cosine of cosines) {
    const one = mixed(direction, cosine, new Random('noise'))
    expect(dot(one, direction)).toBeCloseTo(cosine, 5)
    expect(dot(one, one)).toBeCloseTo(1, 5)
  }
})

test('used and unread coordinates are told apart, and what is read the other way in half of the text is said to be', async () => {
  const before = tf.memory().numTensors
  const found = await proveTruths(1, ['used', 'unread', 'reversing'])
  expect(tf.memory().numTensors).toBe(before)
  for (const { held } of found) expect(held.count).toBe(held.of)
})

describe.runIf(long)('in long runs', () => {
  test('every truth comes out as it must', async () => {
    for (const { held, outcome } of await proveTruths(5, truthNames))
      expect(held.count / held.of, outcome).toBeGreaterThanOrEqual(0.9)
  }, 3_600_000)

  test.each(['difference-of-means', 'gradient'])(
    '%s is supported',
    async name => {
      expect(supported(await proveDirection(world, name, { runs: 5, latents }))).toBeGreaterThanOrEqual(0.9)
    },
    3_600_000,
  )

  test('what is read and not used is refuted', async () => {
    const claims = await proveDirection(world, 'read-not-used', { runs: 5, latents })
    expect(claims.every(({ verdict }) => verdict === 'fail')).toBe(true)
  }, 3_600_000)

  test('mixed with noise, effects and their share of the ceiling fall with the cosine', async () => {
    const [effects, shares]: [number[], number[]] = [[], []]
    for (const cosine of cosines) {
      const claims = await proveDirection(world, `mixed-${cosine}`, { runs: 5, latents })
      effects.push(mean(claims.map(({ effect }) => effect!)))
      shares.push(mean(claims.flatMap(({ share }) => share ?? [])))
    }
    expect([...effects].sort((a, b) => b - a)).toEqual(effects)
    expect([...shares].sort((a, b) => b - a)).toEqual(shares)
    expect(shares[0]).toBeGreaterThan(0.7)
    expect(shares.at(-1)).toBeLessThan(0.2)
  }, 3_600_000)

  test.each([8, 20])(
    'one true claim among %i is found',
    async among => {
      expect(supported(await proveOneAmong(world, among, { runs: 6, latents }))).toBeGreaterThanOrEqual(0.8)
    },
    3_600_000,
  )
})
