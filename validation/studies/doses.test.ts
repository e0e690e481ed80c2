import { expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { tf } from '../../engine/tf.ts'
import { conceptCount, conceptOf, fakeDataset } from '../../latents/fake.fixture.ts'
import { answeredBy, answerLogits, plantedModel, plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import { ValidateConfig } from '../config.ts'
import type { EffectRow } from '../rows.ts'
import { benchOf, settingsOf, studied } from './bench.fixture.ts'
import { doses } from './doses.ts'
import { windowOf } from './window.ts'

/**
 * Coordinate c is 1 at cues of concept c. Concept 0 is read linearly, concept 1 by tanh(2x), concept 2 by x² (which has no slope at 0
 * and does the same either way), concept 3 with the wrong sign. f = x, so that dose 1 adds 1.
 */
const width = 40
const { tested, bench, foundOf } = studied(doses, async () => {
  const model = plantedModel(
    width,
    token =>
      [...new Random('noise', token).normals(width, 0.1)].map((x, i) =>
        i >= conceptCount ? x : conceptOf(token) === i ? 1 : 0,
      ),
    x => {
      const column = (c: number) => x.slice([0, c], [-1, 1])
      const read = [column(0), column(1).mul(2).tanh(), column(2).square(), column(3).mul(-1), column(4), column(5)]
      return answerLogits(tf.concat(read, 1).mul(3) as ReturnType<typeof answerLogits>)
    },
  )
  const rows = Array.from({ length: width }, (_, i) => unitRow(width, i))
  return benchOf(model, plantedSae(rows, rows, 0), fakeDataset(150), { latents: [0, 1, 2, 3], documents: 10 })
})

/** What a logit of the concept’s answers is worth to its target. */
const worth = (concept: number) =>
  bench()
    .plans.find(({ claim }) => claim.feature === concept)!
    .target.weights.reduce((sum, weight, token) => sum + (answeredBy(token) === concept ? weight : 0), 0)

test('a direction that is read linearly does at each dose what the gradient says', () => {
  const found = foundOf(0)
  for (const { dose, target } of found.points) expect(target.mean).toBeCloseTo(3 * dose * worth(0), 3)
  expect(found.slope.predicted.mean).toBeCloseTo(3 * worth(0), 4)
  expect(found.slope.ratio!.ratio).toBeCloseTo(1, 3)
  expect(found.isotonic).toBeCloseTo(1, 6)
  expect(found.trend.permutationP).toBeCloseTo(1 / 2001, 6)
  // A straight line is no logistic curve.
  expect(found.logistic).toBeNull()
})

test('one that saturates has the gradient’s slope at 0 and a dose of half its effect', () => {
  const found = foundOf(1)
  expect(found.slope.predicted.mean).toBeCloseTo(6 * worth(1), 3)
  expect(found.slope.observed.mean).toBeCloseTo((3 * Math.tanh(0.2) * worth(1)) / 0.1, 3)
  expect(found.logistic!.top / worth(1)).toBeCloseTo(3.05, 1)
  expect(found.logistic!.ec50).toBeGreaterThan(0.2)
  expect(found.logistic!.ec50).toBeLessThan(0.4)
  expect(found.logistic!.rSquared).toBeGreaterThan(0.98)
})

test('one that does the same either way has no slope, and no trend as one that does', () => {
  const found = foundOf(2)
  expect(Math.abs(found.slope.predicted.mean!)).toBeLessThan(1e-4)
  expect(found.slope.ratio).toBeNull()
  expect(found.isotonic!).toBeLessThan(0.95)
})

test('one that does the opposite has no rising trend and no window', () => {
  const found = foundOf(3)
  expect(found.trend.permutationP).toBe(1)
  expect(found.window).toMatchObject({ effectDose: null, ratio: 0, high: 0, atLeast: false })
})

test('the window is the dose of the cap by that of the effect, on curves known by hand', () => {
  const steps = [1, 2, 4]
  const three = (values: number[]) => values.map(value => [value, value, value])
  const rule = { effect: 0.5, cap: 0.3, alpha: 0.05, draws: 50 }
  const curve = (target: number[], kl: number[]) => ({ doses: steps, target: three(target), kl: three(kl) })
  // Effect .5 halfway to dose 1; KL .3 halfway between doses 2 and 4.
  expect(windowOf(curve([1, 2, 4], [0.1, 0.2, 0.4]), rule, new Random(1))).toEqual({
    ...{ effectDose: 0.5, capDose: expect.closeTo(3), atLeast: false },
    ...{ ratio: expect.closeTo(6), low: expect.closeTo(6), high: expect.closeTo(6) },
  })
  expect(windowOf(curve([1, 2, 4], [0.01, 0.02, 0.04]), rule, new Random(1))).toMatchObject({
    ...{ capDose: null, ratio: 8, atLeast: true },
  })
})

test('at equal KL controls are held to the effect that they would have there', () => {
  const row = (control: EffectRow['control'], controlId: number | null, target: number, kl: number) =>
    ['a', 'b', 'c'].map(
      (document): EffectRow => ({
        ...{ feature: 0, intervention: 'steer', dose: 1, control, controlId, document, window: document },
        ...{ positions: 1, norm: 1, target, loss: 0, kl },
      }),
    )
  // The control moves the target farther, at sixteen times the KL: at equal KL half as far.
  const effects = [...row('feature', null, 1, 0.05), ...row('random', 0, 2, 0.8), ...row('random', 1, 1.5, 0.05)]
  const one = { ...tested[0]!, effects }
  const [found] = doses.judge([one], { ...settingsOf(bench()), klCap: 0.05 })
  expect(found!.equalKl).toEqual({ effect: expect.closeTo(1), p: { random: 2 / 3, tied: expect.any(Number) } })
})

test('strengths that are too few or of one sign are refused', () => {
  expect(() => ValidateConfig.parse({ strengths: [1, 2] })).toThrow('at least nine strengths')
  expect(() => ValidateConfig.parse({ strengths: [1, 2, 3, 4, 5, 6, 7, 8, 9] })).toThrow('a negative strength')
})
