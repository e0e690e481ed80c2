import { expect, test } from 'vitest'
import { uniformOf } from '../core/random.ts'
import { ReadSequence } from '../core/sequence.ts'
import type { TokenDataset, TokenWindow } from './document.ts'
import { type Draw, drawWindows } from './draw.ts'
import { Looks } from './looks.fixture.ts'

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
const ids = async (dataset: TokenDataset, more: Partial<Draw> = {}) =>
  (await drawWindows(dataset, { ...draw, ...more })).map(({ id }) => id)

test('without a bound every window of the split is drawn, in order', async () => {
  const all = Array.from({ length: 20 }, (_, i) => `document-${i}`)
  expect(await ids(datasetOf())).toEqual(all.filter((_, i) => i % 4 !== 0))
})

test('the same windows are drawn in whatever order the dataset has them', async () => {
  const few = await ids(datasetOf(), { tokens: 60 })
  const reversed = datasetOf(windows => windows.reverse())
  expect(await ids(reversed, { tokens: 60 })).toEqual(few)
  expect(await ids(datasetOf(), { tokens: 60, seed: 1 })).not.toEqual(few)
  expect(await ids(datasetOf(), { tokens: 60, purpose: 'label' })).not.toEqual(few)
})

test('tokens and windows are bounds, but one window is always drawn', async () => {
  for (const tokens of [20, 50, 100]) {
    const drawn = await drawWindows(datasetOf(), { ...draw, tokens })
    expect(drawn.reduce((sum, window) => sum + window.tokens.length, 0)).toBeLessThanOrEqual(tokens)
  }
  expect(await ids(datasetOf(), { tokens: 0 })).toHaveLength(1)
  expect(await ids(datasetOf(), { windows: 3 })).toHaveLength(3)
  expect(await ids(datasetOf(), { shortest: 20 })).toEqual(['document-19'])
})

test('a split without windows is said to have no text', async () => {
  await expect(ids(datasetOf(), { split: 'discovery' })).rejects.toThrow('The dataset mine has no discovery text.')
})

test('of so many windows that not all are remembered, those are drawn that come first by their hash', async () => {
  // A long window now and then, which ends the draw where it finds no room.
  const length = 70_000
  const sizeOf = (i: number) => (i % 50 === 0 ? 40 : 1 + (i % 7))
  const first = datasetOf().windows.at(0)!
  const windows = new ReadSequence(
    length,
    (i): TokenWindow => ({ ...first, id: `${i}`, index: i, tokens: new Int32Array(sizeOf(i)) }),
  )
  const byHash = Array.from(windows, ({ id, index }) => ({ index, key: uniformOf(0, 'validate', id) })).sort(
    (a, b) => a.key - b.key,
  )
  for (const bound of [{ tokens: 500 }, { windows: 30 }]) {
    const { tokens = Number.POSITIVE_INFINITY, windows: most = length } = bound as { tokens?: number; windows?: number }
    const expected: number[] = []
    let count = 0
    for (const { index } of byHash) {
      if (expected.length === most || count + sizeOf(index) > tokens) break
      count += sizeOf(index)
      expected.push(index)
    }
    const drawn = await drawWindows({ ...datasetOf(), windows }, { ...draw, split: 'validation', ...bound })
    expect(drawn.map(({ index }) => index)).toEqual(expected.sort((a, b) => a - b))
  }
})

test('looks for Ctrl-C between any two windows', async () => {
  const looks = new Looks()
  expect(await drawWindows(looks.at(datasetOf()), draw, looks.stop)).toHaveLength(15)
  expect(looks.longest).toBeLessThanOrEqual(2)
  await expect(drawWindows(datasetOf(), draw, new Looks(2).stop)).rejects.toThrow('told to stop')
})
