import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { paced, sifted, upTo } from './pace.ts'

let clock: number
beforeEach(() => {
  clock = 0
  vi.spyOn(performance, 'now').mockImplementation(() => clock)
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Numbers of which each takes so many milliseconds. */
function* slowly(count: number, milliseconds: number): Generator<number> {
  for (const i of upTo(count)) {
    clock += milliseconds
    yield i
  }
}

test('a long loop hears a signal within a tenth of a second, and ends where it is told to', async () => {
  const seen: number[] = []
  let isAborted = false
  setImmediate(() => {
    isAborted = true
  })
  const loop = async () => {
    for await (const i of paced(slowly(1000, 30), () => {
      if (isAborted) throw new Error('stopped')
    }))
      seen.push(i)
  }
  await expect(loop()).rejects.toThrow('stopped')
  expect(seen).toEqual([0, 1, 2])
})

test('values that are left out take their time as well', async () => {
  const some = sifted(function* () {
    for (const i of slowly(40, 30)) yield i % 20 === 0 ? i : undefined
  })
  let pauses = 0
  const seen: number[] = []
  for await (const i of some.paced(() => void pauses++)) seen.push(i)
  expect(seen).toEqual([0, 20])
  expect(pauses).toBeGreaterThan(5)
  expect([...some]).toEqual([0, 20])
})
