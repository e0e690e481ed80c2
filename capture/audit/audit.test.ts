import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import type { TokenDataset, TokenWindow } from '../../datasets/document.ts'
import { momentsOf, statisticsOf } from '../statistics.ts'
import { documentAudit } from './documents.ts'
import { chiSquareOf, drawOf, fieldAudit } from './draw.ts'
import { EffectiveSizes } from './effective.ts'
import { SiteEstimates } from './estimates.ts'
import { NormFences } from './outliers.ts'

describe('the draw', () => {
  test('of two strata by hand: (60 − 50)² / 25 + (5 − 10)² / 9, and none of one that is taken whole', () => {
    const found = drawOf([100, 100, 7], [0.5, 0.1, 1], [60, 5, 7])
    expect([found.df, found.statistic]).toEqual([2, 100 / 25 + 25 / 9])
    // exp(−x/2) is the upper tail of χ² with two degrees of freedom.
    expect(found.p).toBeCloseTo(Math.exp(-found.statistic / 2), 12)
    expect(chiSquareOf([{ found: 7, expected: 7, variance: 0 }])).toEqual({ statistic: 0, df: 0, p: null })
  })

  test('of a field: shares against the population, rows as they are and by weight', () => {
    const counts = (value: string, population: number, rows: number, rate: number) => ({
      ...{ value, population, rows, expected: population * rate, weighted: rows / rate },
      variance: (population * (1 - rate)) / rate,
      third: (population * (1 - rate) * (1 - 2 * rate)) / rate ** 2,
    })
    const audit = fieldAudit('language', [counts('en', 900, 45, 0.05), counts('fi', 100, 40, 0.5)])
    expect(audit.psi.rows).toBeCloseTo(
      (45 / 85 - 0.9) * Math.log(45 / 85 / 0.9) + (40 / 85 - 0.1) * Math.log(40 / 85 / 0.1),
      12,
    )
    const weighted = [900 / 980, 80 / 980] as const
    expect(audit.psi.weighted).toBeCloseTo(
      (weighted[0] - 0.9) * Math.log(weighted[0] / 0.9) + (weighted[1] - 0.1) * Math.log(weighted[1] / 0.1),
      12,
    )
    expect(audit.chiSquare).toMatchObject({ df: 2, statistic: 400 / 100 })
    expect(audit.furthest).toMatchObject({ value: expect.any(String), population: expect.any(Number) })
  })

  test('is not suspect for a single row that was unlikely, by itself or by its weight', () => {
    // One row of a stratum that gives one in a hundred draws.
    expect(drawOf([1000, 100], [0.1, 1e-4], [100, 1])).toMatchObject({ statistic: 0, df: 1 })
    const counts = (value: string, rows: number, heavy: number) => ({
      ...{ value, population: 2000, rows: rows + heavy, expected: 200.01, weighted: 10 * rows + 1e4 * heavy },
      // Two thousand tokens at .1, and a hundred at .0001.
      variance: 1900 * 9 + 100 * 9999,
      third: 1900 * 72 + 100 * 9999 * 9998,
    })
    expect(fieldAudit('template', [counts('a', 190, 1), counts('b', 190, 0)]).chiSquare.p).toBeNull()
  })

  test('has uniform p where it is fair, and p near 0 where a stratum was drawn at another rate', () => {
    const drawn = (rate: number, seed: number) => {
      const random = new Random('draw', seed)
      return [1000, 300, 200].map((size, i) => {
        let rows = 0
        for (let j = 0; j < size; j++) if (random.uniform() < (i === 0 ? rate : 0.3)) rows++
        return rows
      })
    }
    const ps = Array.from({ length: 200 }, (_, seed) => drawOf([1000, 300, 200], [0.1, 0.3, 0.3], drawn(0.1, seed)).p!)
    expect(Math.abs(ps.filter(p => p < 0.1).length / 200 - 0.1)).toBeLessThan(0.06)
    expect(drawOf([1000, 300, 200], [0.1, 0.3, 0.3], drawn(0.16, 1)).p).toBeLessThan(1e-4)
  })
})

describe('estimates', () => {
  const width = 4
  const size = 3000
  const random = new Random('population')
  const values = Float32Array.from(
    { length: size * width },
    (_, i) => random.normal() * (1 + (i % width)) + (i % width) * 3,
  )
  const rates = Array.from({ length: size }, (_, row) => (row % 3 === 0 ? 0.4 : 0.1))
  const full = momentsOf(values, width, new Float32Array(size).fill(1), () => {
    throw new Error()
  })
  const trace = full.m2.reduce((a, b) => a + b) / size

  /** The audit of a draw; `shift` moves what is drawn, so that it is of another population. */
  function drawn(seed: number, shift = 0) {
    const own = new Random('estimate', seed)
    const rows = rates.flatMap((rate, row) => (own.uniform() < rate ? [row] : []))
    const taken = Float32Array.from(
      rows.flatMap(row => [...values.subarray(row * width, (row + 1) * width)].map(v => v + shift)),
    )
    const weights = Float32Array.from(rows, row => 1 / rates[row]!)
    const mean = statisticsOf(
      momentsOf(taken, width, weights, () => {
        throw new Error()
      }),
    ).populationMean
    const estimates = new SiteEstimates(mean)
    for (const [i, row] of rows.entries()) estimates.add(taken, i * width, rates[row]!)
    return estimates.result(full)
  }

  test('cover what the full pass gives as often as they say', () => {
    const runs = Array.from({ length: 200 }, (_, seed) => drawn(seed))
    const within = (of: 'trace' | 'norm') =>
      runs.filter(run => run[of].low <= run[of].full! && run[of].full! <= run[of].high).length / 200
    expect([within('trace') > 0.9, within('norm') > 0.9]).toEqual([true, true])
    expect(runs.reduce((sum, { mean }) => sum + mean.within!, 0) / 200).toBeGreaterThan(0.92)
    expect(runs.filter(({ mean }) => mean.p! < 0.05).length).toBeLessThan(24)
    expect(runs[0]!.trace.full).toBeCloseTo(trace, 9)
    const distance = Math.sqrt(runs.reduce((sum, { mean }) => sum + mean.distance! ** 2, 0) / 200)
    const error = Math.sqrt(runs.reduce((sum, { mean }) => sum + mean.error ** 2, 0) / 200)
    expect(distance / error).toBeCloseTo(1, 0.8)
  })

  test('of rows that are not of this population do not', () => {
    const { mean } = drawn(1, 1)
    expect([mean.p! < 1e-6, mean.within! < 0.5, mean.distance! > 5 * mean.error]).toEqual([true, true, true])
  })

  test('of every token are the full pass itself', () => {
    const estimates = new SiteEstimates(full.mean)
    for (let row = 0; row < size; row++) estimates.add(values, row * width, 1)
    const { mean, trace: own } = estimates.result(full)
    expect(mean).toEqual({ error: 0, distance: 0, within: null, p: null })
    expect([own.low, own.high]).toEqual([own.estimate, own.estimate])
    expect(own.estimate / trace).toBeCloseTo(1, 12)
  })
})

describe('effective sizes', () => {
  const sizes = (rowsOf: (document: number) => number[][]) => {
    const effective = new EffectiveSizes([0.3, -0.2], 1)
    for (let document = 0; document < 40; document++)
      for (const row of rowsOf(document))
        effective.add(0, { unit: `d${document}`, family: 0 }, Float32Array.from(row), 0)
    return effective.result()[0]!
  }
  test('of documents whose rows are all the same are the number of documents', () =>
    expect(sizes(d => Array.from({ length: 5 }, () => [Math.sin(d), Math.cos(3 * d)]))).toMatchObject({
      documents: 40,
      effectiveSize: expect.closeTo(40, 4),
    }))
  test('of rows that have nothing to do with their documents are about the number of rows', () => {
    const random = new Random('rows')
    expect(
      sizes(() => Array.from({ length: 5 }, () => [random.normal(), random.normal()])).effectiveSize,
    ).toBeGreaterThan(150)
  })
  test('of copies are those of the first that a stratum has, wherever the others stand', () => {
    const sizes = (texts: readonly number[], families: (text: number) => number) => {
      const effective = new EffectiveSizes([0, 0], 2)
      texts.forEach((text, i) => {
        for (let row = 0; row < 3; row++)
          for (const stratum of text === 1 ? [0] : [0, 1])
            effective.add(stratum, { unit: `d${i}`, family: families(text) }, Float32Array.of(Math.sin(text), row), 0)
      })
      return effective.result()
    }
    const family = (text: number) => (text < 2 ? text + 1 : 0)
    expect(sizes([0, 0, 2, 1, 0, 3, 1, 0], family)).toEqual(sizes([0, 2, 1, 3], () => 0))
    expect(sizes([0, 0, 2, 1, 0, 3, 1, 0], () => 0)[0]!.documents).toBe(8)
  })
  test('of a single document are not known', () => {
    const effective = new EffectiveSizes([0], 2)
    effective.add(0, { unit: 'a', family: 0 }, Float32Array.of(1), 0)
    expect(effective.result()).toEqual([
      { documents: 1, effectiveSize: null },
      { documents: 0, effectiveSize: null },
    ])
  })
})

test('norms beyond Tukey’s outer fences are counted, and the largest named', () => {
  const fences = new NormFences()
  // Quartiles 10 and 20.1: the fences are 0 and 50.4.
  const norms = [...Array.from({ length: 401 }, (_, i) => 5 + i / 20), 49, 55, 300]
  for (const [row, norm] of norms.entries())
    fences.add(norm, () => ({ window: `w${row}`, position: 1, token: 2, stratum: 0 }))
  const { low, high, rows, largest } = fences.result()
  expect([low, rows, largest.map(({ window }) => window)]).toEqual([0, 2, ['w403', 'w402']])
  expect(Math.abs(high / 50.4 - 1)).toBeLessThan(0.001)
})

test('of norms that are all alike none is unusual, wherever the borders of bins lie', () => {
  for (let place = 0; place < 16; place++) {
    const fences = new NormFences()
    const length = 8 * 2 ** (place / 1024)
    for (let row = 0; row < 100; row++)
      fences.add(length * (row % 10 === 0 ? 1 + 1e-5 : 1), () => ({ window: 'w', position: 1, token: 2, stratum: 0 }))
    fences.add(length * 1.01, () => ({ window: 'apart', position: 1, token: 2, stratum: 0 }))
    const { rows, largest } = fences.result()
    expect([rows, largest.map(({ window }) => window)]).toEqual([1, ['apart']])
  }
})

describe('documents', () => {
  const texts = [
    [1, 2, 3, 4, 5, 6, 7, 8],
    [9, 9, 8, 7, 1, 2, 3, 1],
    [1, 2, 3, 4, 5, 6, 7, 8],
    [1, 2, 3, 4, 5, 6, 7, 9],
  ]
  const windows = texts.map(
    (tokens, index): TokenWindow => ({
      ...{ id: `d${index}`, index, split: 'train', tokens: Int32Array.of(0, ...tokens) },
      documents: new Uint32Array(9).fill(index),
      offsets: Int32Array.from({ length: 9 }, (_, i) => i - 1),
    }),
  )
  const documents = texts.map((_, i) => ({ id: `d${i}`, strata: {} }))
  const dataset: TokenDataset = { name: 'texts', documents, windows, hash: '', tokenizerHash: '', concepts: [] }
  const counted = (rows: number[]) => ({
    documents: {
      population: new Uint32Array(rows.length).fill(100),
      rows: Uint32Array.from(rows),
      expected: new Float64Array(rows.length).fill(10),
    },
  })

  test('that are equal are copies, and nearly equal ones where asked', async () => {
    const equal = (await documentAudit(dataset, counted([10, 10, 10, 10]), 1)).audit.duplicates
    expect(equal).toEqual({ threshold: 1, documents: 1, rows: 0.25, largest: [{ id: 'd0', copies: 1 }] })
    const near = await documentAudit(dataset, counted([10, 10, 10, 10]), 0.5)
    expect([near.audit.duplicates.documents, near.audit.duplicates.rows]).toEqual([2, 0.5])
    expect([...near.families]).toEqual([1, 0, 1, 1])
  })

  test('with more rows than the draw gives are named, others not', async () => {
    const { overRepresented, largest } = (await documentAudit(dataset, counted([40, 12, 9, 0]), 1)).audit
    expect(overRepresented.map(({ id, expected, rows }) => [id, expected, rows])).toEqual([['d0', 10, 40]])
    expect(largest.map(({ id }) => id)).toEqual(['d0', 'd1', 'd2'])
  })
})
