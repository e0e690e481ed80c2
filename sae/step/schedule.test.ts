import { describe, expect, test } from 'vitest'
import { kAt, type RateSchedule, rateAt, sparsityAt } from './schedule.ts'

const base: RateSchedule = {
  learningRate: 1,
  schedule: 'linear',
  warmUp: 4,
  decay: 5,
  finalRate: 0,
  warmUpFromZero: false,
}
const rates = (schedule: Partial<RateSchedule>) =>
  Array.from({ length: 12 }, (_, step) => Number(rateAt({ ...base, ...schedule }, step, 12).toFixed(3)))

describe('the learning rate', () => {
  test('rises, holds, and falls over its last steps', () =>
    expect(rates({})).toEqual([0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]))
  test('may begin at zero, as dictionary_learning has it', () =>
    expect(rates({ warmUpFromZero: true }).slice(0, 5)).toEqual([0, 0.25, 0.5, 0.75, 1]))
  test('stays when it is constant', () => expect(rates({ schedule: 'constant' }).slice(3)).toEqual(Array(9).fill(1)))
  test('falls as a cosine to its last share', () => {
    const values = rates({ schedule: 'cosine', finalRate: 0.1 })
    expect(values[4]).toBe(1)
    expect(values[8]).toBe(0.55)
    expect(values[11]).toBeLessThan(0.2)
  })
})

test('sparsity rises from zero', () => expect([0, 2, 4, 9].map(step => sparsityAt(4, step))).toEqual([0, 0.5, 1, 1]))
test('k falls to its value', () => expect([0, 5, 10, 20].map(step => kAt(64, 4, 10, step))).toEqual([64, 34, 4, 4]))
