/** 200 random and degenerate inputs a function, held to SciPy, statsmodels, scikit-learn and plain enumeration. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { auroc } from './association/auroc.ts'
import { averagePrecision } from './association/average-precision.ts'
import { clusteredAuroc } from './association/clustered-auroc.ts'
import { mantelHaenszel } from './association/mantel-haenszel.ts'
import { conditionalInformation, mutualInformation } from './association/mutual-information.ts'
import { Draw } from './cases.fixture.ts'
import { isotonic } from './curves/isotonic.ts'
import { fitLogistic } from './curves/logistic.ts'
import { pearson } from './descriptive.ts'
import { betaQuantile } from './distributions/beta.ts'
import { chiSquaredUpper } from './distributions/gamma.ts'
import {
  fitGeneralisedPareto,
  generalisedParetoUpper,
  generalisedParetoValue,
} from './distributions/generalised-pareto.ts'
import { meanDiscrepancy } from './drift/mean-discrepancy.ts'
import { sampleDrift } from './drift/stability-index.ts'
import { kolmogorovSmirnov } from './drift/two-sample.ts'
import {
  cliffDelta,
  pairedDelta,
  pairedSuperiority,
  probabilityOfSuperiority,
  rankBiserial,
} from './effects/dominance.ts'
import { cohenD, hedgesG, pairedD, pairedG } from './effects/effect-size.ts'
import { randomEffects } from './effects/pooling.ts'
import { cohenH, oddsRatio } from './effects/proportions.ts'
import { clopperPearson } from './intervals/clopper-pearson.ts'
import { clusterMeanBootstrap, clusterMeanInterval } from './intervals/cluster-mean.ts'
import { fisherInterval } from './intervals/correlation.ts'
import { intraclassCorrelation } from './intervals/design-effect.ts'
import { meanInterval } from './intervals/mean.ts'
import { newcombe } from './intervals/newcombe.ts'
import { wilson } from './intervals/proportion.ts'
import { adjust } from './multiplicity/family.ts'
import { aurocVariance, correlationSampleSize, proportionSampleSize } from './power/sample-size.ts'
import { pairedDetectable, pairedTPower, twoSampleTPower } from './power/t-power.ts'
import { tost } from './tests/equivalence.ts'
import { errorSpending } from './tests/error-spending.ts'
import { maxT } from './tests/max-t.ts'
import { signFlip } from './tests/permutation.ts'
import { stratifiedPermutation } from './tests/stratified.ts'
import { jonckheereTerpstra } from './tests/trend.ts'

type Row = (number | null)[]

const reference: Record<string, Row[]> = JSON.parse(
  readFileSync(new URL('./reference-cases.json', import.meta.url), 'utf8'),
)
const random = new Random(0)

/** In the order of `docs/statistics_reference.py`. */
const functions: Record<string, (draw: Draw) => Row> = {
  independentEffects(d) {
    const [x, y] = [d.sample(2, 20), d.sample(2, 20)]
    return [cohenD(x, y), hedgesG(x, y), cliffDelta(x, y), probabilityOfSuperiority(x, y)]
  },
  pairedEffects(d) {
    const v = d.sample(2, 20)
    return [pairedD(v), pairedG(v), pairedDelta(v), pairedSuperiority(v), rankBiserial(v)]
  },
  randomEffects(d) {
    const k = d.size(2, 12)
    let effects = Array.from({ length: k }, () => d.bell() * (d.case % 3 === 0 ? 0.1 : 2))
    const variances = Array.from({ length: k }, () => 0.01 + d.uniform())
    if (d.case % 10 === 6) effects = effects.map(() => 0.5)
    const r = randomEffects(effects, variances)
    const { standardError, high } = r.hartungKnapp!
    return [
      ...[r.estimate, r.standardError, r.low, standardError, high],
      ...[r.fixed, r.tau2, r.cochranQ, r.heterogeneityP, r.i2],
    ]
  },
  bootstrap(d) {
    const n = 20 + d.int(10)
    const v = Array.from({ length: n }, () => (d.case % 2 ? d.uniform() ** 3 : d.bell()))
    const { estimate, standardError } = meanInterval(v)
    return (['percentile', 'bca', 'bootstrap-t'] as const).flatMap(method => {
      const random = new Random(d.case)
      const { low, high } = clusterMeanBootstrap(v, Uint32Array.from(v.keys()), { method, random, draws: 20_000 })
      return [(low! - estimate) / standardError!, (high! - estimate) / standardError!]
    })
  },
  proportions(d) {
    const [n1, n2] = [1 + d.int(40), 1 + d.int(40)]
    const [x1, x2] = [d.int(n1 + 1), d.int(n2 + 1)]
    const { low, high } = newcombe(x1, n1, x2, n2)
    return [
      ...[...wilson(x1, n1), ...clopperPearson(x1, n1), low, high],
      ...[cohenH(x1 / n1, x2 / n2), oddsRatio(x1, n1, x2, n2)],
    ]
  },
  correlation(d) {
    const n = d.size(4, 30)
    const [x, y] = [d.values(n), Array.from({ length: n }, () => d.bell())]
    const r = pearson(x, y)
    return Number.isNaN(r) ? [null, null, null] : [r, ...fisherInterval(r, n)!]
  },
  meanInterval(d) {
    const r = meanInterval(d.sample(2, 20))
    return [r.estimate, r.standardError, r.low, r.high]
  },
  clusterMean(d) {
    const v = d.sample(4, 40)
    const r = clusterMeanInterval(v, d.codes(v.length, 6))
    return [r.estimate, r.standardError, r.low, r.high]
  },
  signFlip: d => [signFlip(d.sample(1, 9), random).p],
  stratified(d) {
    const n = d.size(2, 12)
    const [v, labels, strata] = [d.values(n), d.labels(n), d.codes(n, 3)]
    return (['two-sided', 'greater', 'less'] as const).map(
      alternative => stratifiedPermutation(v, labels, strata, random, { alternative }).p,
    )
  },
  maxT(d) {
    const n = d.size(2, 8)
    const hypotheses = 1 + d.int(5)
    const r = maxT(
      Array.from({ length: hypotheses }, () => d.values(n)),
      random,
    )
    return [...r.singleStep, ...r.stepDown]
  },
  multiplicity(d) {
    const m = d.size(1, 6)
    const p = Array.from({ length: m }, () => (d.case % 5 === 0 ? d.int(20) / 20 : d.uniform() ** 3))
    return (['bh', 'by', 'holm'] as const).flatMap(method => [...adjust('cases', p, method).adjusted])
  },
  equivalence(d) {
    const v = d.sample(2, 20)
    const { p, pLower, pUpper } = tost(v, 0.1 + 2 * d.uniform())
    return [p, pLower, pUpper]
  },
  trend(d) {
    const count = 2 + d.int(2)
    const sizes = Array.from({ length: count }, () => 1 + d.int(Math.floor(7 / count)))
    const v = d.values(sizes.reduce((a, b) => a + b))
    const groups = sizes.map((size, i) => {
      const start = sizes.slice(0, i).reduce((a, b) => a + b, 0)
      return v.slice(start, start + size)
    })
    const of = (alternative: 'two-sided' | 'greater' | 'less') =>
      jonckheereTerpstra(groups, random, { alternative, draws: 1 })
    const r = of('two-sided')
    return [r.statistic, r.expected, r.z, r.p, of('greater').p, of('less').p]
  },
  errorSpending(d) {
    const [first, alpha] = [0.3 + 0.6 * d.uniform(), 0.01 + 0.1 * d.uniform()]
    const looks = errorSpending([first, 1], { alpha, sides: (1 + d.int(2)) as 1 | 2 })
    return [looks[0]!.boundary, looks[1]!.boundary, looks[0]!.spent, looks[1]!.spent]
  },
  pareto(d) {
    const n = 20 + d.int(30)
    const v = Array.from({ length: n }, () => (d.case % 2 ? Math.abs(d.bell()) ** 2 : -Math.log(1 - d.uniform())))
    const fit = fitGeneralisedPareto(v)!
    return [fit.scale, fit.shape, generalisedParetoUpper(d.uniform() * 3, fit), generalisedParetoValue(0.01, fit)]
  },
  auroc(d) {
    const s = d.sample(4, 40)
    const [y, c] = [d.labels(s.length), d.codes(s.length, 8)]
    const r = clusteredAuroc(s, y, c)
    if (r !== null) expect(r.estimate).toBeCloseTo(auroc(s, y), 12)
    const precision = averagePrecision(s, y)?.estimate ?? null
    return [r?.estimate ?? null, r?.standardError ?? null, r?.low ?? null, r?.high ?? null, precision]
  },
  information(d) {
    const n = d.size(1, 60)
    const [f, own, s] = [d.codes(n, 4), d.codes(n, 3), d.codes(n, 3)]
    const c = d.case % 4 === 0 ? f.map(value => Math.min(value, 2)) : own
    const [plain, given] = [mutualInformation(f, c), conditionalInformation(f, c, s)]
    return [plain.plugIn, plain.corrected, given.plugIn, given.corrected]
  },
  mantelHaenszel(d) {
    const count = d.size(1, 5)
    const tables = Array.from({ length: count }, () => {
      const [a, b, c, e] = Array.from({ length: 4 }, () => d.int(12) + (d.case % 2))
      return { a: a!, b: b!, c: c!, d: e! }
    })
    const [plain, corrected] = [mantelHaenszel(tables), mantelHaenszel(tables, { correction: true })]
    return [plain.oddsRatio, plain.logStandardError, plain.chiSquared, plain.p, corrected.chiSquared]
  },
  twoSamples(d) {
    const { distance, p } = kolmogorovSmirnov(d.sample(1, 30), d.sample(1, 30))
    return [distance, p]
  },
  stability(d) {
    const { index, expected } = sampleDrift(d.sample(2, 60), d.sample(2, 60), random, { draws: 1 })
    return [index, expected]
  },
  discrepancy(d) {
    const width = 1 + d.int(3)
    const [n, m] = [d.size(2, 10), d.size(2, 10)]
    const vectors = (count: number) => Array.from({ length: count }, () => d.values(width))
    const r = meanDiscrepancy(vectors(n), vectors(m), random, { draws: 1 })
    return [r?.squared ?? null, r?.bandwidth ?? null]
  },
  isotonic(d) {
    const y = d.sample(1, 6)
    const weights = y.map(() => 0.1 + d.uniform())
    return [...isotonic(y, { weights }).fitted, ...isotonic(y, { weights, falling: true }).fitted]
  },
  logistic(d) {
    const x = [0, ...Array.from({ length: 8 }, (_, i) => 2 ** (i - 4))]
    const [ec50, slope, top, noise] = [
      ...[0.25 + 2 * d.uniform(), 1 + 2 * d.uniform(), 4 * d.bell() + 0.5, 0.02 + 0.05 * d.uniform()],
    ] as [number, number, number, number]
    const y = x.map(dose => 1 + top * (dose === 0 ? 0 : 1 / (1 + (dose / ec50) ** -slope)) + noise * d.bell())
    return [fitLogistic(x, y)?.residual ?? null]
  },
  tPower(d) {
    const [n, m] = [2 + d.int(40), 2 + d.int(40)]
    const [effect, alpha] = [0.05 + d.uniform(), 0.001 + 0.1 * d.uniform()]
    const of = (sides: 'one-sided' | 'two-sided') => [
      pairedTPower(effect, n, { alpha, sides }),
      twoSampleTPower(effect, n, m, { alpha, sides }),
    ]
    return [...of('two-sided'), ...of('one-sided'), n > 3 ? pairedDetectable(n, { alpha, sides: 'one-sided' }) : null]
  },
  sampleSize(d) {
    const [p1, p2, r, a] = [d.uniform(), d.uniform(), 0.05 + 0.9 * d.uniform(), 0.55 + 0.4 * d.uniform()] as const
    return [proportionSampleSize(p1, p2), correlationSampleSize(r), aurocVariance(a, 10, 15)]
  },
  intraclass(d) {
    const v = d.sample(4, 40)
    return [intraclassCorrelation(v, d.codes(v.length, 5))]
  },
  distributions(d) {
    const [a, b, x, p] = [0.5 + 30 * d.uniform(), 0.5 + 30 * d.uniform(), 40 * d.uniform(), d.uniform()] as const
    return [chiSquaredUpper(x, 1 + d.int(30)), betaQuantile(p, a, b), betaQuantile(p * 1e-6, a, b)]
  },
}

/** Nine digits are stored; what differs by more says why. */
const tolerances: Record<string, number> = {
  bootstrap: 0.05, // 20,000 draws against 200,000
  logistic: 1e-6, // two searches for a minimum
  tPower: 1e-7, // SciPy's noncentral t
}

test('every function has its cases', () => expect(Object.keys(functions)).toEqual(Object.keys(reference)))

test.each(Object.keys(functions))('%s', name => {
  const tolerance = tolerances[name] ?? 1e-8
  let largest = 0
  reference[name]!.forEach((expected, place) => {
    const found = functions[name]!(new Draw(name, place))
    expect(
      found.map(value => value === null),
      `case ${place}: ${found} against ${expected}`,
    ).toEqual(expected.map(value => value === null))
    found.forEach((value, i) => {
      if (value === null) return
      const difference = Math.abs(value - expected[i]!) / (Math.abs(expected[i]!) + 1e-3)
      largest = Math.max(largest, difference)
      expect(difference, `case ${place}, value ${i}: ${value} against ${expected[i]}`).toBeLessThan(tolerance)
    })
  })
  if (process.env.PIPELINE_LONG) console.log(`${name}: largest difference ${largest.toExponential(1)}`)
})
