import { expect, test } from 'vitest'
import type { TokenDataset, TokenWindow } from './document.ts'
import { type Draw, drawWindows } from './draw.ts'

/** Twenty windows of 1 to 20 tokens, every fourth of them for validation. */
function datasetOf(order: (windows: TokenWindow[]) => TokenWindow[] = windows => windows): TokenDataset {
  const windows = Array.from(
    { length: 20 },
    (_, i): TokenWindow => ({
      id: `document-${i}`,
      index: i,
      tokens: new Int32Array(i + 1),
      documents: new Uint32Array(i + 1).fill(i),
      offsets: new Int32Array(i + 1),
      split: i % 4 === 0 ? 'validation' : 'train',
    }),
  )
  return { name: 'mine', documents: [], windows: order(windows), hash: '', tokenizerHash: '', concepts: [] }
}

const draw: Draw = { split: 'train', purpose: 'validate', seed: 0 }
const ids = (dataset: TokenDataset, more: Partial<Draw> = {}) =>
  drawWindows(dataset, { ...draw, ...more }).map(({ id }) => id)

test('without a bound every window of the split is drawn, in order', () => {
  expect(ids(datasetOf())).toEqual(Array.from({ length: 20 }, (_, i) => `document-${i}`).filter((_, i) => i % 4 !== 0))
})

test('the same windows are drawn in whatever order the dataset has them', () => {
  const few = ids(datasetOf(), { tokens: 60 })
  expect(
    ids(
      datasetOf(windows => windows.reverse()),
      { tokens: 60 },
    ),
  ).toEqual(few)
  expect(ids(datasetOf(), { tokens: 60, seed: 1 })).not.toEqual(few)
  expect(ids(datasetOf(), { tokens: 60, purpose: 'label' })).not.toEqual(few)
})

test('tokens and windows are bounds, but one window is always drawn', () => {
  for (const tokens of [20, 50, 100]) {
    const drawn = drawWindows(datasetOf(), { ...draw, tokens })
    expect(drawn.reduce((sum, window) => sum + window.tokens.length, 0)).toBeLessThanOrEqual(tokens)
  }
  expect(ids(datasetOf(), { tokens: 0 })).toHaveLength(1)
  expect(ids(datasetOf(), { windows: 3 })).toHaveLength(3)
  expect(ids(datasetOf(), { shortest: 20 })).toEqual(['document-19'])
})

test('a split without windows is said to have no text', () => {
  expect(() => ids(datasetOf(), { split: 'discovery' })).toThrow('The dataset mine has no discovery text.')
})
