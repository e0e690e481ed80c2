import { describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { compactEffects, packEffects, unpackEffects } from './effects.ts'
import { rankAmong } from './judging/rank.ts'
import { isStopped, roundsOf } from './rounds.ts'
import type { EffectRow } from './rows.ts'

const row = (control: EffectRow['control'], controlId: number | null, document: string, target: number): EffectRow => ({
  ...{ feature: 3, intervention: 'ablate', dose: 0, control, controlId, document, window: `${document}-w` },
  ...{ positions: 2, norm: 1.5, target, loss: controlId !== null && controlId > 0 ? null : 0.25, kl: 0.125 },
})

describe('rounds', () => {
  test('end at the same places however many controls there are', () => {
    expect(roundsOf(99)).toEqual([
      { start: 0, end: 20 },
      { start: 20, end: 50 },
      { start: 50, end: 99 },
    ])
    expect(roundsOf(399).map(({ end }) => end)).toEqual([20, 50, 100, 200, 399])
    expect(roundsOf(20)).toEqual([{ start: 0, end: 20 }])
    expect(roundsOf(0)).toEqual([])
    expect(roundsOf(0, true)).toEqual([{ start: 0, end: 0 }])
  })

  test('stop a kind of which ten reach as far as the latent in the claimed direction, by means over documents', () => {
    const own = [row('feature', null, 'a', -1), row('feature', null, 'b', -3)]
    const controls = (count: number, target: number) =>
      Array.from({ length: count }, (_, id) => [row('random', id, 'a', target), row('random', id, 'b', target)]).flat()
    const stopped = (rows: EffectRow[]) => isStopped([...own, ...rows], 'random', { dose: 1 }, 'ablate')
    expect(stopped(controls(10, -2))).toBe(true)
    expect(stopped(controls(9, -2))).toBe(false)
    expect(stopped(controls(20, -1.9))).toBe(false)
    expect(stopped(controls(20, 5))).toBe(false)
    const opposite = { dose: 1, primary: 'ablate', direction: 'increase' } as const
    expect(isStopped([...own, ...controls(20, 5)], 'random', opposite, 'ablate')).toBe(true)
    expect(isStopped([...own, ...controls(10, -2)], 'foreign', { dose: 1 }, 'ablate')).toBe(false)
  })
})

test('rows come back from their columns as they were, also through a file', () => {
  const rows = [row('feature', null, 'a', -1), row('random', 0, 'a', 0.1), row('random', 7, 'b', 1 / 3)]
  const packed = packEffects(rows)
  expect(unpackEffects(3, packed)).toEqual(rows)
  const read = compactEffects(JSON.parse(JSON.stringify(packed)))
  expect(unpackEffects(3, read)).toEqual(rows)
  expect(read.target).toBeInstanceOf(Float64Array)
})

test('the bound of a kind whose measuring another one ended is never below the p that all its controls would give', () => {
  for (let run = 0; run < 300; run++) {
    const random = new Random('bound', run)
    const planned = 30 + random.int(90)
    const controls = Array.from(random.normals(planned))
    const effect = 3 * random.normal()
    const whole = rankAmong(effect, controls, { alpha: 0.05 }, ['a'])
    for (const measured of [20, 25, planned - 1]) {
      const unmeasured = planned - measured
      const part = rankAmong(effect, controls.slice(0, measured), { alpha: 0.05, unmeasured }, ['a'])
      expect(part.p).toBeGreaterThanOrEqual(whole.p)
      const found = controls.slice(0, measured).filter(value => value >= effect).length
      expect(part.method).toBe(found >= 10 ? 'stopped' : 'bound')
    }
  }
})

describe('a rank that cannot pass alone among many claims', () => {
  const controls = Array.from(new Random('rank').normals(399))
  const most = Math.max(...controls)

  test('is continued by a fitted tail, and by nothing where it can', () => {
    const many = { alpha: 0.05, family: 500 }
    const found = rankAmong(6, controls, many, ['a'])
    expect(found).toMatchObject({ method: 'tail', used: 399 })
    expect(found.p).toBeLessThan(1 / 400)
    expect(found.p).toBeGreaterThan(1e-9) // the true p of 6 standard deviations
    expect(rankAmong(6, controls, { alpha: 0.05, family: 20 }, ['a'])).toEqual({
      p: 1 / 400,
      used: 399,
      method: 'rank',
    })
    expect(rankAmong(6, controls.slice(0, 119), many, ['a'])).toEqual({ p: 1 / 120, used: 119, method: 'rank' })
    expect(rankAmong(most - 1e-9, controls, many, ['a'])).toEqual({ p: 2 / 400, used: 399, method: 'rank' })
    expect(rankAmong(0, controls, many, ['a']).method).toBe('stopped')
  })

  // A latent that is one more of its controls: p below x no more often than x, whatever the tail. Each run is one that lies beyond
  // all its controls, which one in 400 does, so that n of them are as good as 400 n.
  const runs = process.env.PIPELINE_LONG ? 2000 : 60
  test.each([
    ['normal', (random: Random) => random.normal()],
    ['two-sided exponential', (random: Random) => Math.log(1 - random.uniform()) * (random.uniform() < 0.5 ? -1 : 1)],
    [
      'heavy-tailed (t, 3 degrees)',
      (random: Random) => random.normal() / Math.hypot(random.normal(), random.normal(), random.normal()),
    ],
    ['ending', (random: Random) => random.uniform()],
  ])('keeps its level below 1 / 400 for %s controls', (name, draw) => {
    const levels = [1e-3, 2.5e-4, 1e-4]
    const below = levels.map(() => 0)
    for (let run = 0; run < runs; run++) {
      const random = new Random('tail level', name, run)
      const values = Array.from({ length: 400 }, () => draw(random)).sort((a, b) => a - b)
      const { p } = rankAmong(values[399]!, values.slice(0, 399), { alpha: 0.05, family: 1000 }, [name, run])
      levels.forEach((level, i) => {
        if (p <= level) below[i]!++
      })
    }
    levels.forEach((level, i) => {
      const expected = 400 * level * runs
      expect(below[i]!).toBeLessThanOrEqual(expected + 3 * Math.sqrt(expected) + 1)
    })
  })
})
