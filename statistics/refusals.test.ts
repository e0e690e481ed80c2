/** What is empty, missing or infinite is refused by name, and what has no value is null. */
import { describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { averagePrecision } from './association/average-precision.ts'
import { clusteredAuroc } from './association/clustered-auroc.ts'
import { mantelHaenszel } from './association/mantel-haenszel.ts'
import { informationTest, mutualInformation } from './association/mutual-information.ts'
import { binned, quantileEdges } from './bins.ts'
import { isotonic } from './curves/isotonic.ts'
import { fitLogistic } from './curves/logistic.ts'
import { fitGeneralisedPareto } from './distributions/generalised-pareto.ts'
import { meanDiscrepancy } from './drift/mean-discrepancy.ts'
import { sampleDrift, stabilityIndex } from './drift/stability-index.ts'
import { kolmogorovSmirnov } from './drift/two-sample.ts'
import { cliffDelta, pairedDelta, rankBiserial } from './effects/dominance.ts'
import { cohenD, pairedD, pairedG } from './effects/effect-size.ts'
import { randomEffects } from './effects/pooling.ts'
import { oddsRatio } from './effects/proportions.ts'
import { clopperPearson } from './intervals/clopper-pearson.ts'
import { clusterMeanBootstrap, clusterMeanInterval } from './intervals/cluster-mean.ts'
import { fisherInterval } from './intervals/correlation.ts'
import { intraclassCorrelation } from './intervals/design-effect.ts'
import { meanInterval } from './intervals/mean.ts'
import { newcombe } from './intervals/newcombe.ts'
import { adjust } from './multiplicity/family.ts'
import { aurocSampleSize, correlationSampleSize, proportionSampleSize } from './power/sample-size.ts'
import { simulatedPower } from './power/simulation.ts'
import { pairedDetectable, tPower } from './power/t-power.ts'
import { errorSpending } from './tests/error-spending.ts'
import { maxT } from './tests/max-t.ts'
import { stratifiedPermutation } from './tests/stratified.ts'
import { tailP } from './tests/tail.ts'
import { jonckheereTerpstra } from './tests/trend.ts'

const random = new Random(0)
const arrays: [string, (values: number[]) => unknown][] = [
  ['Cliff’s δ', v => cliffDelta(v, [1, 2])],
  ['dominance of pairs', v => pairedDelta(v)],
  ['rank-biserial', v => rankBiserial(v)],
  ['d', v => cohenD([1, 2], v)],
  ['d_z', v => pairedD(v)],
  ['pooling', v => randomEffects(v, v)],
  ['an interval of a mean', v => meanInterval(v)],
  ['an interval over clusters', v => clusterMeanInterval(v, v)],
  ['a bootstrap over clusters', v => clusterMeanBootstrap(v, v, { method: 'bca', random })],
  ['labels within strata', v => stratifiedPermutation(v, v, v, random)],
  ['max-T', v => maxT([v], random)],
  ['a trend', v => jonckheereTerpstra([[1, 2], v], random)],
  ['a tail', v => tailP(1, v, random)],
  ['early looks', v => errorSpending(v)],
  ['AUROC with clusters', v => clusteredAuroc(v, [0, 1], [0, 1])],
  ['average precision', v => averagePrecision(v, [0, 1])],
  ['mutual information', v => mutualInformation(v, v)],
  ['a family', v => adjust('all', v, 'holm')],
  ['an intraclass correlation', v => intraclassCorrelation(v, v)],
  ['a simulated power', v => simulatedPower(0, { pilot: v, n: 5, test: () => 1, seed: 0 })],
  ['an isotonic curve', v => isotonic(v)],
  ['weights of a curve', v => isotonic([1, 2], { weights: v })],
  ['a logistic curve', v => fitLogistic(v, v)],
  ['two samples', v => kolmogorovSmirnov([1, 2], v)],
  ['drift', v => sampleDrift([1, 2], v, random)],
  ['shares', v => stabilityIndex(v, v)],
  ['vectors', v => meanDiscrepancy([[1], [2]], [v, v], random)],
  ['bins', v => binned(v, quantileEdges([1, 2]))],
  ['a fitted tail', v => fitGeneralisedPareto(v)],
]

describe('refused', () => {
  test.each(arrays)('%s of nothing, NaN and infinity', (_, statistic) => {
    for (const wrong of [[], [1, Number.NaN], [Number.POSITIVE_INFINITY, 1], [1, Number.NEGATIVE_INFINITY]])
      expect(() => statistic(wrong), String(wrong)).toThrow(/must (be|have|lie)/)
  })

  test('numbers out of their range, by name', () => {
    expect(() => clopperPearson(4, 3)).toThrow('successes must be a number from 0 to 3, but is 4')
    expect(() => newcombe(1, 0, 1, 2)).toThrow('n1 must be a whole number of at least 1')
    expect(() => fisherInterval(1.2, 9)).toThrow('r must be a number from -1 to 1')
    expect(() => meanInterval([1, 2], 95)).toThrow('level must lie between 0 and 1, but is 95')
    expect(() => tPower(1, 0)).toThrow('df must be a finite number of at least 1')
    expect(() => randomEffects([1, 2], [1, 0])).toThrow('variances[1] must be')
    expect(() => mantelHaenszel([{ a: 1, b: 1, c: -1, d: 1 }])).toThrow('tables[0].c must be a whole number')
    expect(() => clusteredAuroc([1, 2], [0, 2], [0, 1])).toThrow('labels must be 0 or 1, but labels[1] is 2')
    expect(() => simulatedPower(0, { pilot: [1, 2], n: 5, test: () => Number.NaN, seed: 0 })).toThrow('the p-value')
  })
})

test('what has no value is null', () => {
  expect(pairedD([2.5, 2.5])).toBeNull()
  expect(pairedG([1])).toBeNull()
  expect(cohenD([0.1, 0.1, 0.1], [0.3, 0.3])).toBeNull()
  expect(rankBiserial([0, 0])).toBeNull()
  expect(oddsRatio(3, 3, 1, 3)).toBeNull()
  expect(meanInterval([1]).low).toBeNull()
  expect(meanInterval([0.1, 0.1, 0.1]).low).toBeNull()
  expect(clusterMeanInterval([1, 2, 3], [7, 7, 7])).toMatchObject({ standardError: null, low: null, high: null })
  expect(fisherInterval(1, 10)).toBeNull()
  expect(clusteredAuroc([1, 2], [1, 1], [0, 1])).toBeNull()
  expect(averagePrecision([1, 2], [0, 0])).toBeNull()
  expect(mantelHaenszel([{ a: 1, b: 0, c: 0, d: 1 }])).toMatchObject({ oddsRatio: null, low: null })
  expect(randomEffects([1], [1])).toMatchObject({ i2: null, heterogeneityP: null, hartungKnapp: null })
  expect(intraclassCorrelation([1, 2], [0, 0])).toBeNull()
  expect(proportionSampleSize(0.3, 0.3)).toBeNull()
  expect(correlationSampleSize(0)).toBeNull()
  expect(aurocSampleSize(0.5)).toBeNull()
  expect(pairedDetectable(1)).toBeNull()
  expect(fitLogistic([0, 1, 2, 3, 4], [1, 1, 1, 1, 1])).toBeNull()
  expect(meanDiscrepancy([[1], [1]], [[1], [1]], random)).toBeNull()
  expect(informationTest([1, 1], [0, 1], [0, 0], random).p).toBe(1)
})
