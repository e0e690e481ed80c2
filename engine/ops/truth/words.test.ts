import { describe, expect, test } from 'vitest'
import { keyOf, normalFrom, uniformFrom, wordOf } from './words.ts'

describe('random words by place', () => {
  test('keys of 100,000 samples differ, across the border of 2³² too', () => {
    const seen = new Set<string>()
    for (let i = 0; i < 50_000; i++) {
      seen.add(keyOf([1, 2], i).join())
      seen.add(keyOf([1, 2], 4294967296 + i).join())
    }
    expect(seen.size).toBe(100_000)
  })

  test('uniforms fill 16 bins evenly, along counters and along samples', () => {
    for (const at of [
      (n: number) => wordOf(keyOf([7, 8], 5), n),
      (n: number) => wordOf(keyOf([7, 8], n), 5),
      (n: number) => wordOf(keyOf([n, 8], 0), 5),
    ]) {
      const bins = new Float64Array(16)
      for (let n = 0; n < 64_000; n++) bins[Math.floor(uniformFrom(at(n)) * 16)]!++
      const chi = bins.reduce((sum, count) => sum + (count - 4000) ** 2 / 4000, 0)
      expect(chi).toBeLessThan(45) // 15 degrees of freedom: beyond 45 in one of 10,000
      expect(chi).toBeGreaterThan(2)
    }
  })

  test('neighbouring counters and neighbouring samples are uncorrelated', () => {
    const count = 40_000
    for (const [a, b] of [
      [(n: number) => wordOf(keyOf([3, 4], n), 10), (n: number) => wordOf(keyOf([3, 4], n), 11)],
      [(n: number) => wordOf(keyOf([3, 4], n), 10), (n: number) => wordOf(keyOf([3, 4], n + 1), 10)],
    ] as const) {
      let sum = 0
      for (let n = 0; n < count; n++) sum += (uniformFrom(a(n)) - 0.5) * (uniformFrom(b(n)) - 0.5) * 12
      expect(Math.abs(sum / Math.sqrt(count))).toBeLessThan(4)
    }
  })

  test('normals have mean 0, variance 1 and kurtosis 3', () => {
    const key = keyOf([1, 1], 1)
    const moments = [0, 0, 0, 0]
    const count = 50_000
    for (let n = 0; n < count; n++) {
      const x = normalFrom(wordOf(key, 2 * n), wordOf(key, 2 * n + 1))
      moments.forEach((_, p) => {
        moments[p]! += x ** (p + 1) / count
      })
    }
    expect(Math.abs(moments[0]!)).toBeLessThan(0.02)
    expect(moments[1]).toBeCloseTo(1, 1)
    expect(moments[3]! / 3).toBeCloseTo(1, 1)
  })
})
