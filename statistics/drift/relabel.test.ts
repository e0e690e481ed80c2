import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { frechetDistance } from './frechet.ts'
import { uniformity } from './kolmogorov.ts'
import { rateDrift } from './rates.ts'
import { relabel } from './relabel.ts'

describe('Fréchet’s distance', () => {
  test('of numbers is √((μ₁ − μ₂)² + (σ₁ − σ₂)²)', () =>
    // Means 1 and 5, deviations 1 and 3.
    expect(frechetDistance([[0], [2]], [[2], [8]])).toBeCloseTo(Math.sqrt(16 + 4), 12))

  test('of vectors is that of SciPy’s matrix square root', () => {
    const vectors = (n: number, of: (i: number, j: number) => number) =>
      Array.from({ length: n }, (_, i) => [0, 1, 2].map(j => of(i, j)))
    const x = vectors(7, (i, j) => Math.sin(1 + i * 2.3 + j * 1.7))
    const y = vectors(5, (i, j) => Math.cos(2 + i * 1.1 + j * 0.9) * 1.5 + 0.3)
    expect(frechetDistance(x, y)).toBeCloseTo(1.42016437, 6)
    expect(frechetDistance(x, [...x].reverse())).toBeCloseTo(0, 7)
  })
})

describe('relabelled documents', () => {
  const names = (prefix: string, n: number) => Array.from({ length: n }, (_, i) => `${prefix}${i}`)
  const difference = (values: number[]) => (labels: Uint8Array) => {
    let [sum, first] = [0, 0]
    values.forEach((value, i) => {
      sum += labels[i] ? value : -value
      first += labels[i]!
    })
    return [first === values.length / 2 ? Math.abs(sum) : null]
  }

  test('of other texts give uniform p where nothing differs', () => {
    const ps = Array.from({ length: 100 }, (_, run) => {
      const random = new Random('relabel', run)
      const values = Array.from(random.normals(24))
      return relabel({ a: names('a', 12), b: names('b', 12) }, difference(values), random, 99)[0]!.p!
    })
    expect(uniformity(ps).p).toBeGreaterThan(0.001)
  })

  test('of the same text tell a difference that is small against the spread of documents, by exchanging halves', () => {
    const random = new Random('halves')
    const own = Array.from(random.normals(12), value => value * 10)
    const values = [...own, ...own.map(value => value + 0.5 + 0.1 * random.normal())]
    const shared = names('d', 12)
    const at = (b: string[]) => relabel({ a: shared, b }, difference(values), new Random(1), 499)[0]!.p!
    expect([at(shared) < 0.01, at(names('e', 12)) > 0.3]).toEqual([true, true])
  })

  test('hold the error of the family, and a shifted measure among sixty is found', () => {
    const family = (shift: number, run: number) => {
      const random = new Random('family', run)
      const figures = Array.from({ length: 30 }, (_, document) =>
        Array.from(random.normals(60), (value, item) => value + (item === 7 && document < 15 ? shift : 0)),
      )
      return rateDrift({ a: names('a', 15), b: names('b', 15) }, figures, random, 99)
    }
    const alarms = Array.from({ length: 40 }, (_, run) => family(0, run).some(({ adjusted }) => adjusted! <= 0.05))
    expect(alarms.filter(Boolean).length).toBeLessThan(6)
    const found = family(3, 1)
    expect(found.flatMap(({ adjusted }, item) => (adjusted! <= 0.05 ? [item] : []))).toEqual([7])
    expect(found[7]!.means[0]! - found[7]!.means[1]!).toBeGreaterThan(2)
  })

  test('leave undefined what too few documents have, and find what does not vary but differs', () => {
    const figures = Array.from({ length: 12 }, (_, i) => [i < 4 ? 1 : null, i < 6 ? 2 : 3, 5])
    const found = rateDrift({ a: names('a', 6), b: names('b', 6) }, figures, new Random(2), 199)
    expect(found[0]).toMatchObject({ value: null, p: null, adjusted: null, documents: [4, 0] })
    expect(found[1]!.adjusted).toBeLessThan(0.02)
    expect(found[2]!.adjusted).toBe(1)
  })
})
