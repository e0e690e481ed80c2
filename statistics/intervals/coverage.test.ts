/**
 * How often each interval holds the true value, at the numbers of documents that are in use: `npm run test:long` prints
 * the tables of docs/statistics.md. A short run checks the two that validation leans on.
 */
import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { clusteredAuroc } from '../association/clustered-auroc.ts'
import { pearson } from '../descriptive.ts'
import { normalCdf } from '../distributions/normal.ts'
import { randomEffects } from '../effects/pooling.ts'
import { clopperPearson } from './clopper-pearson.ts'
import { clusterMeanBootstrap, clusterMeanInterval } from './cluster-mean.ts'
import { fisherInterval } from './correlation.ts'
import { meanInterval } from './mean.ts'
import { newcombe } from './newcombe.ts'
import { wilson } from './proportion.ts'

type Bounds = readonly [number | null, number | null]

const long = Boolean(process.env.PIPELINE_LONG)
const runs = long ? 2000 : 300

/** Coverage among the runs that gave bounds; null where fewer than a tenth did. */
function coverage(truth: number, interval: (random: Random) => Bounds, name: string): number | null {
  let [given, covered] = [0, 0]
  for (let run = 0; run < runs; run++) {
    const [low, high] = interval(new Random(1, name, run))
    if (low === null || high === null) continue
    given++
    if (low <= truth && truth <= high) covered++
  }
  return given < runs / 10 ? null : covered / given
}

const text = (value: number | null) => (value === null ? 'none' : value.toFixed(3).replace(/^0/, ''))

/** One value, centred so that its mean is 0, of a document's own draw. */
const shapes: Record<string, (random: Random) => number> = {
  normal: random => random.normal(),
  lognormal: random => Math.exp(random.normal()) - Math.exp(0.5),
  'rare, large': random => (random.uniform() < 0.1 ? 10 : 0) - 1 + 0.01 * random.normal(),
}
const methods = ['t', 'percentile', 'bca', 'bootstrap-t'] as const

function boundsOf(
  method: (typeof methods)[number],
  values: Float64Array,
  clusters: Uint32Array,
  random: Random,
): Bounds {
  const { low, high } =
    method === 't'
      ? clusterMeanInterval(values, clusters)
      : clusterMeanBootstrap(values, clusters, { method, random, draws: 999 })
  return [low, high]
}

/** AUROC's interval over documents of eight windows, of scores that `score` gives for a document's own value and a label. */
function areaOver(
  random: Random,
  documents: number,
  rate: number,
  score: (own: number, label: number) => number,
): Bounds {
  const [scores, labels, clusters]: [number[], number[], number[]] = [[], [], []]
  for (let document = 0; document < documents; document++) {
    const own = 0.7 * random.normal()
    for (let window = 0; window < 8; window++) {
      const label = random.uniform() < rate ? 1 : 0
      scores.push(score(own, label))
      labels.push(label)
      clusters.push(document)
    }
  }
  const found = clusteredAuroc(scores, labels, clusters)
  return [found?.low ?? null, found?.high ?? null]
}

/** `windows` values for each of `documents`, half of their variance between documents where there is more than one. */
function draw(shape: string, documents: number, windows: number, random: Random): [Float64Array, Uint32Array] {
  const values = new Float64Array(documents * windows)
  const clusters = new Uint32Array(documents * windows)
  for (let document = 0; document < documents; document++) {
    const own = shapes[shape]!(random)
    for (let window = 0; window < windows; window++) {
      values[document * windows + window] = own + (windows === 1 ? 0 : random.normal())
      clusters[document * windows + window] = document
    }
  }
  return [values, clusters]
}

function meanCoverage(method: (typeof methods)[number], shape: string, documents: number, windows = 1): number | null {
  return coverage(
    0,
    random => {
      const [values, clusters] = draw(shape, documents, windows, random)
      return boundsOf(method, values, clusters, random)
    },
    `${shape} ${documents} ${windows}`,
  )
}

test('Student’s interval over documents covers normal windows at its level, and over windows it does not', () => {
  expect(meanCoverage('t', 'normal', 16, 8)).toBeGreaterThan(0.92)
  const naive = coverage(
    0,
    random => {
      const { low, high } = meanInterval(draw('normal', 16, 8, random)[0])
      return [low, high]
    },
    'naive',
  )
  expect(naive).toBeLessThan(0.75)
})

describe.runIf(long)('coverage of nominal 95 % intervals', () => {
  test('of a mean', () => {
    const lines = ['| documents | values | t | percentile | BCa | bootstrap-t |', '|---|---|---|---|---|---|']
    for (const shape of Object.keys(shapes)) {
      for (const [documents, windows] of [
        ...[3, 5, 8, 16, 20, 32, 64].map(n => [n, 1] as const),
        [16, 8] as const,
        [64, 8] as const,
      ]) {
        const found = methods.map(method => meanCoverage(method, shape, documents, windows))
        lines.push(
          `| ${documents}${windows > 1 ? ` × ${windows} windows` : ''} | ${shape} | ${found.map(text).join(' | ')} |`,
        )
        if (shape === 'normal') {
          expect(found[0]).toBeGreaterThan(0.93)
          expect(found[0]).toBeLessThan(0.97)
          if (found[3] !== null) expect(found[3]).toBeGreaterThan(0.93)
        }
        if (documents < 20) expect([found[1], found[2]]).toEqual([null, null])
        if (documents === 64) for (const value of found) expect(value).toBeGreaterThan(0.87)
      }
    }
    console.log(lines.join('\n'))
  }, 600_000)

  test('of proportions, correlations, AUROC and pooled effects', () => {
    const lines = ['| interval | n | coverage |', '|---|---|---|']
    const add = (name: string, n: string, value: number | null, least: number) => {
      lines.push(`| ${name} | ${n} | ${text(value)} |`)
      expect(value, `${name} ${n}`).toBeGreaterThan(least)
    }
    const count = (random: Random, n: number, p: number) => {
      let sum = 0
      for (let i = 0; i < n; i++) if (random.uniform() < p) sum++
      return sum
    }
    for (const n of [5, 8, 16, 64]) {
      for (const p of [0.1, 0.5]) {
        add(
          `Wilson, p ${p}`,
          String(n),
          coverage(p, r => wilson(count(r, n, p), n), `w${n}${p}`),
          0.89,
        )
        add(
          `Clopper–Pearson, p ${p}`,
          String(n),
          coverage(p, r => clopperPearson(count(r, n, p), n), `c${n}${p}`),
          0.94,
        )
      }
      const difference = (r: Random): Bounds => {
        const { low, high } = newcombe(count(r, n, 0.6), n, count(r, n, 0.3), n)
        return [low, high]
      }
      add('Newcombe, .6 less .3', String(n), coverage(0.3, difference, `n${n}`), 0.92)
      const correlation = (r: Random): Bounds => {
        const x = Float64Array.from({ length: n }, () => r.normal())
        const y = x.map(value => 0.5 * value + Math.sqrt(0.75) * r.normal())
        return fisherInterval(pearson(x, y), n)!
      }
      add('Fisher, ρ .5', String(n), coverage(0.5, correlation, `f${n}`), 0.93)
    }
    for (const documents of [16, 64])
      for (const [separation, truth] of [
        [1, normalCdf(1 / Math.sqrt(2 * 1.49))],
        [4, normalCdf(4 / Math.sqrt(2 * 1.49))],
      ] as const) {
        const area = (r: Random): Bounds =>
          areaOver(r, documents, 0.3, (own, label) => own + r.normal() + separation * label)
        const name = `AUROC with clusters, ${truth.toFixed(3)}`
        add(name, `${documents} × 8 windows`, coverage(truth, area, `a${separation}${documents}`), 0.91)
      }
    // A latent that is silent at one in fifty of its few positives: an area of .98, told by whether one of these was seen.
    for (const documents of [16, 32, 64]) {
      const fires = (r: Random, label: number) => (r.uniform() < (label ? 0.98 : 0.02) ? 1 + r.uniform() : 0)
      const area = (r: Random): Bounds => areaOver(r, documents, 0.1, (_, label) => fires(r, label))
      // Fires and fires: ½; fires and not: 1; neither: ½.
      const truth = 0.98 * 0.98 + (0.98 * 0.02 + 0.02 * 0.98) / 2
      add(
        'AUROC with clusters, few positives, .980',
        `${documents} × 8 windows`,
        coverage(truth, area, `f${documents}`),
        0.91,
      )
    }
    for (const strata of [3, 5, 10]) {
      const pooled =
        (knapp: boolean) =>
        (r: Random): Bounds => {
          const variances = Array.from({ length: strata }, () => 0.05 + 0.2 * r.uniform())
          const found = randomEffects(
            variances.map(v => 0.3 * r.normal() + Math.sqrt(v) * r.normal()),
            variances,
          )
          return knapp ? [found.hartungKnapp!.low, found.hartungKnapp!.high] : [found.low, found.high]
        }
      add('DerSimonian–Laird, normal', `${strata} strata`, coverage(0, pooled(false), `d${strata}`), 0.8)
      add('DerSimonian–Laird, Hartung–Knapp', `${strata} strata`, coverage(0, pooled(true), `d${strata}`), 0.9)
    }
    console.log(lines.join('\n'))
  }, 600_000)
})
