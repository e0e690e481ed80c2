import { expect, test } from 'vitest'
import { bosToken, eosToken, toyworldDocument } from '../../datasets/toyworld/index.ts'
import { packedBatch, packedWindow } from './batches.ts'

test('a window is whole documents between <bos> and <eos>, the last one cut', () => {
  const window = [...packedWindow(5, 3, 128)]
  expect(window).toHaveLength(128)
  const first = [...toyworldDocument(5, 48).document.tokens!]
  expect(window.slice(0, first.length + 2)).toEqual([bosToken, ...first, eosToken])
  expect(window[first.length + 2]).toBe(bosToken)
})

test('a short window is the start of a long one', () => {
  expect([...packedWindow(5, 3, 32)]).toEqual([...packedWindow(5, 3, 128)].slice(0, 32))
})

test('each row of each step has a window of its own', () => {
  const rows = [packedBatch(5, 1, 2, 32), packedBatch(5, 2, 2, 32)].flatMap(batch =>
    [0, 32].map(start => batch.slice(start, start + 32).join()),
  )
  expect(new Set(rows).size).toBe(4)
})
