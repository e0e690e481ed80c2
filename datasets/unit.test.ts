import { expect, test } from 'vitest'
import type { Document, TokenWindow } from './document.ts'
import { unitOf } from './unit.ts'

const documents: Document[] = ['a', 'b', 'c'].map(id => ({ id, strata: {} }))
const window = (places: readonly number[]): TokenWindow => ({
  ...{ id: 'window-3', index: 3, split: 'validation', tokens: Int32Array.from(places) },
  ...{ documents: Uint32Array.from(places), offsets: Int32Array.from(places) },
})

test('a window is of the document that has at least half of its tokens', () => {
  expect(unitOf({ documents }, window([1, 1, 1, 1]))).toBe('b')
  expect(unitOf({ documents }, window([0, 1, 1, 1]))).toBe('b')
  expect(unitOf({ documents }, window([0, 0, 1, 2]))).toBe('a')
})

test('a window of many short documents is a unit by itself', () => {
  expect(unitOf({ documents }, window([0, 1, 2, 0, 1, 2]))).toBe('window-3')
})

test('near-duplicates count as the first of them', () => {
  const copyOf = Uint32Array.from([0, 0, 2])
  expect(unitOf({ documents, copyOf }, window([1, 1, 1, 1]))).toBe('a')
  expect(unitOf({ documents, copyOf }, window([0, 1, 2, 0, 1, 2]))).toBe('a')
})
