import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { collectGarbage, inLittleMemory, keepSmall } from './memory.ts'

const collections = vi.hoisted(() => ({ count: 0 }))
// The engine's collector, counted.
vi.mock('node:vm', async original => {
  const vm = await original<typeof import('node:vm')>()
  const runInNewContext = (code: string) => {
    const collect = vm.runInNewContext(code) as () => void
    return () => {
      collections.count++
      collect()
    }
  }
  return { ...vm, runInNewContext }
})

beforeEach(() => {
  collections.count = 0
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

test('arrays that nothing refers to are freed', () => {
  const bytes = 1 << 26
  // Threads of the engine free what a collection found; the next one waits for them.
  const held = () => {
    collectGarbage()
    collectGarbage()
    return process.memoryUsage().arrayBuffers
  }
  const made = (value: number) => new Float32Array(bytes / 4).fill(value)
  const before = held()
  for (let i = 0; i < 4; i++) made(i)
  const kept = made(1)
  expect(held() - before).toBeLessThan(2.5 * bytes)
  expect(kept[7]).toBe(1)
})

/** What the process is said to hold from now on, beyond a fixed heap and fixed arrays. */
function holding(more: { heapUsed?: number; arrayBuffers?: number }) {
  const { heapUsed = 0, arrayBuffers = 0 } = more
  const usage = { rss: 1e9, heapTotal: 1e9, external: 0, heapUsed: 5e7 + heapUsed, arrayBuffers: 1e7 + arrayBuffers }
  vi.spyOn(process, 'memoryUsage').mockReturnValue(usage)
}

/** Collections in the next second. */
function collected(): number {
  const before = collections.count
  vi.advanceTimersByTime(1000)
  return collections.count - before
}

test.each(['heapUsed', 'arrayBuffers'])(
  '%s that grows is collected, from where it was least, until nobody wants it',
  what => {
    const control = new AbortController()
    holding({ [what]: 10 })
    keepSmall(1000, control.signal)
    holding({ [what]: 1009 })
    expect(collected()).toBe(0)
    holding({ [what]: 0 })
    expect(collected()).toBe(0)
    holding({ [what]: 1000 })
    expect(collected()).toBe(1)
    // What a collection left is where growth is counted from now.
    expect(collected()).toBe(0)
    holding({ [what]: 2000 })
    expect(collected()).toBe(1)
    control.abort()
    holding({ [what]: 9000 })
    expect(collected()).toBe(0)
  },
)

test('memory is kept small while the work lasts, and no longer, also where it fails', async () => {
  holding({})
  const work = async () => {
    holding({ arrayBuffers: 5000 })
    return collected()
  }
  expect(await inLittleMemory(1000, work)).toBe(1)
  holding({ arrayBuffers: 99_000 })
  expect(collected()).toBe(0)
  const failing = inLittleMemory(1000, async () => {
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  holding({ arrayBuffers: 999_000 })
  expect(collected()).toBe(0)
})
