import { expect, test } from 'vitest'
import { editDistance, nearest } from './nearest.ts'

test('an edit inserts, deletes or replaces a letter, or swaps two neighbours', () => {
  expect(editDistance('layer', 'layer')).toBe(0)
  expect(editDistance('layr', 'layer')).toBe(1)
  expect(editDistance('layre', 'layer')).toBe(1)
  expect(editDistance('kitten', 'sitting')).toBe(3)
  expect(editDistance('', 'abc')).toBe(3)
})

test('the nearest names come first, ties in the order given', () => {
  expect(nearest('tokns', ['site', 'token', 'tokens'], 2)).toEqual(['tokens', 'token'])
  expect(nearest('x', ['b', 'a'], 3)).toEqual(['b', 'a'])
})

test('what was cut short means the name that it begins', () => {
  expect(nearest('runs', ['k', 'runs-dir'], 1)).toEqual(['runs-dir'])
  expect(nearest('Prec', ['k', 'precision'], 1)).toEqual(['precision'])
})
