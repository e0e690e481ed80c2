import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { kolmogorovQ, uniformity } from './kolmogorov.ts'
import { meanDiscrepancy } from './mean-discrepancy.ts'
import { sampleDrift, stabilityIndex } from './stability-index.ts'
import { kolmogorovSmirnov } from './two-sample.ts'

const sparse = (random: Random, n: number, scale = 1) =>
  Array.from({ length: n }, () => (random.uniform() < 0.6 ? 0 : -scale * Math.log(1 - random.uniform())))

describe('the stability index', () => {
  test('of three shares', () => expect(stabilityIndex([0.2, 0.3, 0.5], [0.3, 0.3, 0.4])).toBeCloseTo(0.0628609, 7))

  test('shares that sum to less than 1 are refused', () =>
    expect(() => stabilityIndex([0.2, 0.3], [0.5, 0.5])).toThrow('the sum of p must be'))

  test('of equal distributions is about its expectation with a uniform p, and of others above it', () => {
    const drifts = Array.from({ length: 200 }, (_, run) => {
      const random = new Random(2, run)
      return sampleDrift(sparse(random, 300), sparse(random, 200), random, { draws: 99 })
    })
    const average = drifts.reduce((sum, { index }) => sum + index / drifts.length, 0)
    expect(Math.abs(average / drifts[0]!.expected - 1)).toBeLessThan(0.25)
    expect(uniformity(drifts.map(({ p }) => p)).p).toBeGreaterThan(0.001)
    const random = new Random(3)
    expect(sampleDrift(sparse(random, 300), sparse(random, 200, 2), random, { draws: 99 }).p).toBe(0.01)
  })
})

describe('the mean discrepancy', () => {
  const cloud = (random: Random, n: number, width: number, scale = 1) =>
    Array.from({ length: n }, () => random.normals(width, scale))

  test('sees a spread that means do not, and nothing where there is nothing', () => {
    const random = new Random(4)
    expect(meanDiscrepancy(cloud(random, 40, 3), cloud(random, 40, 3, 2), random, { draws: 99 })!.p).toBe(0.01)
    const ps = Array.from({ length: 150 }, (_, run) => {
      const own = new Random(5, run)
      return meanDiscrepancy(cloud(own, 12, 2), cloud(own, 10, 2), own, { draws: 99 })!.p
    })
    expect(uniformity(ps).p).toBeGreaterThan(0.001)
  })
})

test('the exact p of two samples and Stephens’ approximation of it meet', () => {
  const random = new Random(6)
  for (const shift of [0, 0.1, 0.2, 0.3]) {
    const found = kolmogorovSmirnov(
      random.normals(199),
      random.normals(200).map(v => v + shift),
    )
    expect(found.exact).toBe(true)
    const root = Math.sqrt((199 * 200) / 399)
    expect(Math.abs(found.p - kolmogorovQ((root + 0.12 + 0.11 / root) * found.distance))).toBeLessThan(0.02)
  }
  expect(kolmogorovSmirnov(random.normals(201), random.normals(200)).exact).toBe(false)
})
