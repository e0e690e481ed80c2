import { expect, test, vi } from 'vitest'
import { collectGarbage, inLittleMemory, keepSmall } from './memory.ts'

test('arrays that nothing refers to are freed', () => {
  const bytes = 1 << 26
  for (let i = 0; i < 4; i++) new Float32Array(bytes / 4).fill(i)
  const kept = new Float32Array(bytes / 4).fill(1)
  collectGarbage()
  const left = process.memoryUsage().arrayBuffers
  expect(left).toBeLessThan(2.5 * bytes)
  expect(kept[7]).toBe(1)
})

test('a heap that grows is made small again, until nobody wants it', () => {
  vi.useFakeTimers()
  const control = new AbortController()
  const used = () => process.memoryUsage().heapUsed
  const grow = () => Array.from({ length: 400_000 }, (_, i) => ({ i })).length
  try {
    collectGarbage()
    const before = used()
    keepSmall(8 * 2 ** 20, control.signal)
    grow()
    expect(used() - before).toBeGreaterThan(8 * 2 ** 20)
    vi.advanceTimersByTime(1000)
    expect(used() - before).toBeLessThan(8 * 2 ** 20)
    control.abort()
    grow()
    vi.advanceTimersByTime(5000)
    expect(used() - before).toBeGreaterThan(8 * 2 ** 20)
  } finally {
    vi.useRealTimers()
  }
})

test('arrays beside the heap are counted, while the work lasts', async () => {
  vi.useFakeTimers()
  const used = () => process.memoryUsage().arrayBuffers
  const bytes = 1 << 24
  const grow = () => new Uint8Array(bytes).fill(1).length
  try {
    collectGarbage()
    const before = used()
    const left = await inLittleMemory(bytes / 2, async () => {
      grow()
      expect(used() - before).toBeGreaterThanOrEqual(bytes)
      vi.advanceTimersByTime(1000)
      return used() - before
    })
    expect(left).toBeLessThan(bytes)
    grow()
    vi.advanceTimersByTime(5000)
    expect(used() - before).toBeGreaterThanOrEqual(bytes)
  } finally {
    vi.useRealTimers()
  }
})
