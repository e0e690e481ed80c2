import fc from 'fast-check'
import { expect, test } from 'vitest'
import { windowBatches } from './batches.ts'
import type { TokenWindow } from './document.ts'

const window = (index: number, length: number): TokenWindow => ({
  id: `w${index}`,
  index,
  tokens: Int32Array.from({ length }, (_, i) => 100 * index + i + 1),
  documents: new Uint32Array(length),
  offsets: new Int32Array(length),
  split: 'train',
})

test('groups similar lengths and pads on the right with zeros', () => {
  const batches = windowBatches([window(0, 3), window(1, 1), window(2, 2)], 6)
  expect(batches.map(({ windows }) => windows.map(({ index }) => index))).toEqual([[1, 2], [0]])
  expect([...batches[0]!.tokens]).toEqual([101, 0, 201, 202])
})

test('every window is in exactly one batch, and no batch of several exceeds the limit', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 40 }),
      fc.integer({ min: 1, max: 60 }),
      (lengths, limit) => {
        const batches = windowBatches(
          lengths.map((length, i) => window(i, length)),
          limit,
        )
        const seen = batches.flatMap(batch => batch.windows.map(({ index }) => index)).sort((a, b) => a - b)
        expect(seen).toEqual(lengths.map((_, i) => i))
        for (const batch of batches) expect(batch.windows.length === 1 || batch.tokens.length <= limit).toBe(true)
      },
    ),
    { seed: 1 },
  )
})
