/** Values made by SciPy, statsmodels and mpmath (docs/make_statistics.py). */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { auroc, deLong } from './association/auroc.ts'
import { midranks, quantile } from './descriptive.ts'
import { normalQuantile } from './distributions/normal.ts'
import { noncentralStudentCdf, studentCdf, studentQuantile } from './distributions/student.ts'
import { uniformity } from './drift/kolmogorov.ts'
import { welchInterval } from './intervals/difference.ts'
import { pairedMeanRatio, subsetMeanRatio } from './intervals/mean-ratio.ts'
import { wilson } from './intervals/proportion.ts'
import { benjaminiHochberg } from './multiplicity/false-discovery.ts'
import { pairedDetectable, pairedTPower, twoSampleTPower } from './power/t-power.ts'
import { tost } from './tests/equivalence.ts'
import { rankP, signFlip } from './tests/permutation.ts'

const reference: Record<string, number[][]> = JSON.parse(
  readFileSync(new URL('./reference.json', import.meta.url), 'utf8'),
)
/** Rows of a table: the arguments, and the value last. */
const rows = (name: string) => reference[name]!.map(row => [row.slice(0, -1), row.at(-1)!] as const)

describe('distributions and powers are those of 40 digits', () => {
  test('quantiles of Student’s t within 1e-12 of their size, in tails and centre (1e-11 for a million degrees of freedom)', () => {
    for (const [[p, df], value] of rows('studentQuantile'))
      expect(Math.abs(studentQuantile(p!, df!) / value - 1), `p ${p}, df ${df}`).toBeLessThan(df! < 1e5 ? 1e-12 : 1e-11)
  })

  test('quantiles of the normal distribution within 1e-12 of their size', () => {
    for (const [[p], value] of rows('normalQuantile'))
      expect(Math.abs(normalQuantile(p!) / value - 1), `p ${p}`).toBeLessThan(1e-12)
  })

  test('the noncentral t within 1e-12, one degree of freedom and a large t included', () => {
    for (const [[t, df, delta], value] of rows('noncentralStudentCdf'))
      expect(Math.abs(noncentralStudentCdf(t!, df!, delta!) - value), `t ${t}, df ${df}, δ ${delta}`).toBeLessThan(
        1e-12,
      )
  })

  test('powers within 1e-11, two documents and a small α included', () => {
    for (const [[dz, n, alpha], value] of rows('pairedPower'))
      expect(Math.abs(pairedTPower(dz!, n!, { alpha: alpha! }) - value), `d ${dz}, n ${n}, α ${alpha}`).toBeLessThan(
        1e-11,
      )
    for (const [[d, n, alpha], value] of rows('twoSamplePower'))
      expect(
        Math.abs(twoSampleTPower(d!, n!, n!, { alpha: alpha! }) - value),
        `d ${d}, n ${n}, α ${alpha}`,
      ).toBeLessThan(1e-11)
    expect(pairedTPower(0.1, 2, { alpha: 0.001 })).toBeCloseTo(0.00101, 5)
  })

  test('the distribution function of Student’s t undoes its quantile', () => {
    for (const [[p, df], value] of rows('studentQuantile'))
      expect(Math.abs(studentCdf(value, df!) - p!), `p ${p}, df ${df}`).toBeLessThan(1e-11)
  })
})

describe('what is no finite number is refused, and not taken for one', () => {
  const random = new Random(0)
  const statistics: [string, (wrong: number) => unknown][] = [
    ['an effect among its controls', wrong => rankP(wrong, [1, 2, 3])],
    ['controls', wrong => rankP(1, [1, wrong, 3])],
    ['sign flips', wrong => signFlip([1, wrong, 3], random)],
    ['many sign flips', wrong => signFlip([...new Array(30).fill(1), wrong], random)],
    ['AUROC', wrong => auroc([1, wrong, 3], [0, 1, 1])],
    ['labels of AUROC', wrong => auroc([1, 2, 3], [0, wrong, 1])],
    ['DeLong’s interval', wrong => deLong([1, wrong, 3, 4], [0, 1, 1, 0])],
    ['false discoveries', wrong => benjaminiHochberg([0.1, wrong])],
    ['ranks', wrong => midranks([1, wrong])],
    ['quantiles', wrong => quantile([1, wrong], 0.5)],
    ['a ratio', wrong => subsetMeanRatio([1, wrong], [1, 0])],
    ['a ratio of pairs', wrong => pairedMeanRatio([1, 2], [1, wrong])],
    ['a difference', wrong => welchInterval([1, 2], [wrong, 1])],
    ['equivalence', wrong => tost([1, wrong, 2], 1)],
    ['uniformity', wrong => uniformity([0.1, wrong])],
    ['a proportion', wrong => wilson(wrong, 3)],
    ['power', wrong => pairedTPower(wrong, 10)],
    ['a detectable effect', wrong => pairedDetectable(wrong)],
  ]
  test.each(statistics)('%s', (_, statistic) => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      expect(() => statistic(wrong), String(wrong)).toThrow(/must be/)
  })

  test('p-values outside [0, 1], and scores without a label each', () => {
    expect(() => benjaminiHochberg([0.1, 1.5])).toThrow('p[1] must be a number from 0 to 1')
    expect(() => benjaminiHochberg([-0.1])).toThrow('p[0] must be a number from 0 to 1')
    expect(() => auroc([1, 2], [1])).toThrow('must be equally long')
  })
})
