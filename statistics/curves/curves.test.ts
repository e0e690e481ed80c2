import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { isotonic } from './isotonic.ts'
import { fitLogistic, logisticValue } from './logistic.ts'
import { nelderMead } from './nelder-mead.ts'

describe('isotonic regression', () => {
  test('pools what falls, by weight', () => {
    expect([...isotonic([1, 3, 2, 4]).fitted]).toEqual([1, 2.5, 2.5, 4])
    expect([...isotonic([3, 1], { weights: [3, 1] }).fitted]).toEqual([2.5, 2.5])
    expect([...isotonic([1, 3, 2, 4], { falling: true }).fitted]).toEqual([2.5, 2.5, 2.5, 2.5])
  })

  test('leaves a rising curve alone, and explains nothing of one that does not vary', () => {
    expect(isotonic([1, 2, 5])).toMatchObject({ residual: 0, rSquared: 1 })
    expect(isotonic([2, 2]).rSquared).toBeNull()
  })
})

describe('the logistic curve', () => {
  const doses = [0, 0.25, 0.5, 1, 2, 4, 8, 16, 32]

  test.each([
    [0, 1, 3, 1.5],
    [5, -2, 1, 0.8],
    [1e6, 1e6 + 1, 6, 4],
  ])('planted from %f to %f with EC50 %f and slope %f is found', (bottom, top, ec50, slope) => {
    const planted = { bottom, top, ec50, slope }
    const fit = fitLogistic(
      doses,
      doses.map(x => logisticValue(x, planted)),
    )!
    expect(fit.ec50 / ec50).toBeCloseTo(1, 4)
    expect(fit.slope / slope).toBeCloseTo(1, 4)
    expect(fit.top - fit.bottom).toBeCloseTo(top - bottom, 4)
    expect(fit.rSquared).toBeCloseTo(1, 8)
  })

  test('is half-way at its EC50 and at its ends at dose 0 and far out', () => {
    const curve = { bottom: 1, top: 3, ec50: 2, slope: 2 }
    expect([0, 2, 1e12].map(x => logisticValue(x, curve))).toEqual([1, 2, 3])
  })

  test('is not fitted to a straight line, to a step, or to four doses', () => {
    expect(fitLogistic(doses, doses)).toBeNull()
    expect(
      fitLogistic(
        doses,
        doses.map(x => (x > 1.5 ? 1 : 0)),
      ),
    ).toBeNull()
    expect(fitLogistic([0, 1, 2, 4], [0, 1, 2, 2])).toBeNull()
  })

  test('noise moves it a little', () => {
    const random = new Random(2)
    const y = doses.map(x => logisticValue(x, { bottom: 0, top: 1, ec50: 3, slope: 1.5 }) + 0.02 * random.normal())
    expect(Math.abs(fitLogistic(doses, y)!.ec50 - 3)).toBeLessThan(1)
  })
})

test('the simplex finds the valley of Rosenbrock’s function', () => {
  const { place } = nelderMead(([x, y]) => (1 - x!) ** 2 + 100 * (y! - x! ** 2) ** 2, [-1.2, 1], 0.5)
  expect(place[0]).toBeCloseTo(1, 6)
  expect(place[1]).toBeCloseTo(1, 6)
})
