import { expect, test } from 'vitest'
import { densityEdges, densityHistogram } from './watch.ts'

test('latents are counted by half a decade of their density, the silent ones first', () => {
  // Of 1000 rows: never, 1 (1e-3), 3 (10^-2.52), 4 (10^-2.40), 100 (1e-1), 999, 1000.
  const bins = densityHistogram([0, 1, 3, 4, 100, 999, 1000], 1000)
  const at = (edge: number) => bins[1 + densityEdges.indexOf(edge)]
  expect(bins[0]).toBe(1)
  expect(at(-3)).toBe(2)
  expect(at(-2.5)).toBe(1)
  expect(at(-1)).toBe(1)
  expect(at(-0.5)).toBe(2)
  expect(bins.reduce((sum, count) => sum + count)).toBe(7)
})

test('what is rarer than one in a million rows is in the first bin, not among the silent', () => {
  expect(densityHistogram([1, 0], 50_000_000).slice(0, 2)).toEqual([1, 1])
})
