import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Passes } from './passes.ts'
import type { Progress } from './progress.ts'

let clock: number
beforeEach(() => {
  clock = 0
  vi.spyOn(performance, 'now').mockImplementation(() => clock)
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** Progress that writes down what it is told. */
function written(): { progress: Progress; lines: string[] } {
  const lines: string[] = []
  const progress: Progress = {
    start: (task, total, unit, ago) => void lines.push(`${task} of ${total} ${unit}, ${ago} s ago`),
    update: done => void lines.push(String(done)),
    finish: () => void lines.push('done'),
    note: () => {},
  }
  return { progress, lines }
}

test('a pass is told of from two seconds on, and ends where the next begins', () => {
  const { progress, lines } = written()
  const passes = new Passes(progress)
  const counting = passes.over(50, 'windows', 'Counting')
  clock = 1900
  counting(10)
  expect(lines).toEqual([])
  clock = 2100
  counting(20)
  counting(30)
  expect(lines).toEqual(['Counting of 50 windows, 2.1 s ago', '20', '30'])
  const listing = passes.over(7, 'documents', 'Listing')
  expect(lines.at(-1)).toBe('done')
  clock = 4200
  listing(3)
  passes.end()
  passes.end()
  expect(lines.slice(4)).toEqual(['Listing of 7 documents, 2.1 s ago', '3', 'done'])
})

test('short passes say nothing, and every step may end the work', () => {
  const { progress, lines } = written()
  const passes = new Passes(progress, () => {
    if (clock > 1000) throw new Error('stopped')
  })
  for (const clockNow of [0, 900]) {
    clock = clockNow
    passes.over(1, 'windows', 'Counting')(0)
  }
  const counting = passes.over(1, 'windows', 'Counting')
  clock = 1001
  expect(() => counting(1)).toThrow('stopped')
  passes.end()
  expect(lines).toEqual([])
})
