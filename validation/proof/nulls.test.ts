/** Verdicts keep their level on what nothing is true of: a little in every run, the tables of docs/calibration.md in long ones. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import type { Null } from './case.ts'
import { madeWorld } from './made-world.ts'
import { levels, nullResult } from './null-table.ts'
import { type NullName, nullNames, nulls } from './nulls/index.ts'
import { randomRotation } from './nulls/turned.ts'
import { type ProvedRun, runCase } from './run-case.ts'
import type { World } from './world.ts'

const long = Boolean(process.env.PIPELINE_LONG)
let world: World

beforeAll(async () => {
  await startEngine()
  world = madeWorld()
})
afterAll(() => world.dispose())

/** Runs of a null, the last ones of which claim labelled concepts. */
async function prove(name: NullName, { runs = 1, labelled = 0, claims = 8 } = {}): Promise<ProvedRun[]> {
  const found: ProvedRun[] = []
  for (let seed = 0; seed < runs; seed++) {
    const planted = await nulls[name].make(world, seed)
    if (!planted) continue
    const settings = { claims: seed < runs - labelled ? 'firing' : 'auto' }
    found.push(await runCase(world, planted, { seed, latents: claims, family: 8, settings }))
    planted.dispose()
  }
  return found
}

test.each(['untrained'] as const)('%s: of eight claims none is supported', async name => {
  const before = tf.memory().numTensors
  const [run] = await prove(name)
  // What is at the site is read once and kept on the host alone.
  expect(tf.memory().numTensors).toBe(before)
  expect(run!.flat()).toHaveLength(8)
  expect(run!.flat().filter(({ verdict }) => verdict === 'pass')).toEqual([])
})

test('one document, copied sixteen times, is one document: nothing is run on it', async () => {
  const [run] = await prove('copied-document')
  expect(run!.flat().map(({ verdict }) => verdict)).toEqual(new Array(8).fill('not-run'))
})

test('a made world has no other site, and that null is left out', async () => {
  expect(await prove('other-site')).toEqual([])
})

test('a random rotation has orthonormal rows', () => {
  const rows = randomRotation(7, new Random(1))
  for (let i = 0; i < 7; i++)
    for (let j = 0; j < 7; j++) {
      let product = 0
      for (let k = 0; k < 7; k++) product += rows[i * 7 + k]! * rows[j * 7 + k]!
      expect(product).toBeCloseTo(i === j ? 1 : 0, 5)
    }
})

test('shares of p-values are counted by run, and too many small ones are noticed', () => {
  const claim = (p: number) => ({
    feature: 0,
    concept: null,
    verdict: p < 0.01 ? ('pass' as const) : ('fail' as const),
    p,
    effect: 0,
  })
  const uniform = Array.from({ length: 20 }, (_, r) => [
    Array.from({ length: 10 }, (_, i) => claim((i * 20 + r + 0.5) / 200)),
  ])
  const result = nullResult(uniform)
  expect(result).toMatchObject({ runs: 20, claims: 200, measured: 200, holds: true })
  expect(result.below.map(({ count }) => count)).toEqual(levels.map(level => level * 200))
  const small = uniform.map(run => run.map(family => family.map(({ p }) => claim(p / 2))))
  expect(nullResult(small).holds).toBe(false)
  expect(nullResult(small).supported.count).toBeGreaterThan(nullResult(uniform).supported.count)
})

test.runIf(long).each(nullNames.filter(name => name !== 'other-site' && name !== 'copied-document'))(
  '%s: p-values are uniform or conservative, or the rule does without them, and few families have anything supported',
  async name => {
    const result = nullResult(await prove(name, { runs: 21, labelled: 5, claims: 48 }))
    expect(result.claims).toBe(1008)
    expect(result.holds || (nulls[name] as Null).byRule).toBe(true)
    expect(result.supported.low).toBeLessThanOrEqual(0.05)
    expect(result.families.low).toBeLessThanOrEqual(0.05)
    expect(result.supported.high).toBeLessThan(0.05)
  },
  3_600_000,
)
