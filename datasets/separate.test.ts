import { describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import type { Split, TokenDataset, TokenWindow } from './document.ts'
import { separateSplits } from './separate.ts'
import { unitOf } from './unit.ts'

const held: Split[] = ['discovery', 'validation', 'outOfDistribution']
const options = { threshold: 0.8, shingle: 5 }

/** Documents of a window each, BOS first. */
function datasetOf(
  made: readonly { readonly id: string; readonly split: Split; readonly tokens: readonly number[] }[],
) {
  const windows: TokenWindow[] = made.map(({ id, split, tokens }, index) => ({
    ...{ id, index, split },
    tokens: Int32Array.from([0, ...tokens]),
    documents: new Uint32Array(tokens.length + 1).fill(index),
    offsets: Int32Array.from([0, ...tokens], (_, i) => i - 1),
  }))
  const documents = made.map(({ id }) => ({ id, strata: {} }))
  return { name: 'made', documents, windows, hash: 'h', tokenizerHash: 't', concepts: [] } satisfies TokenDataset
}

const random = new Random('separate')
const text = () => Array.from({ length: 60 }, () => random.int(400))
/** The text with one token changed: five of its 56 shingles are others. */
const changed = (tokens: readonly number[]) => tokens.map((token, i) => (i === 30 ? token + 1 : token))
const [a, b, c, d] = [text(), text(), text(), text()]

describe('splits', () => {
  test('a document that is nearly in an earlier split is dropped from the later one and named', async () => {
    const made = datasetOf([
      { id: 'train', split: 'train', tokens: b },
      { id: 'a', split: 'discovery', tokens: a },
      { id: 'b', split: 'validation', tokens: b },
      { id: 'a changed', split: 'validation', tokens: changed(a) },
      { id: 'b copied', split: 'outOfDistribution', tokens: b },
      { id: 'c', split: 'outOfDistribution', tokens: c },
    ])
    const { dataset, dropped, merged } = await separateSplits(made, held, options)
    expect(dataset.windows.map(({ id }) => id)).toEqual(['train', 'a', 'b', 'c'])
    expect(merged).toEqual([])
    expect(dropped).toEqual([
      { document: 'a changed', split: 'validation', copyOf: 'a', keptIn: 'discovery' },
      { document: 'b copied', split: 'outOfDistribution', copyOf: 'b', keptIn: 'validation' },
    ])
  })

  test('one document sixteen times under other names is one unit', async () => {
    const copies = Array.from({ length: 16 }, (_, i) => ({
      id: `copy ${i}`,
      split: 'validation' as const,
      tokens: i % 2 === 0 ? d : changed(d),
    }))
    const { dataset, dropped, merged } = await separateSplits(datasetOf(copies), held, options)
    expect(dropped).toEqual([])
    expect(merged).toHaveLength(15)
    expect(new Set(dataset.windows.map(window => unitOf(dataset, window)))).toEqual(new Set(['copy 0']))
  })

  test('a copy that lies between two documents joins them, so that neither stands on the other side', async () => {
    const far = a.map((token, i) => (i % 20 === 10 ? token + 1 : token))
    const made = datasetOf([
      { id: 'far', split: 'validation', tokens: far },
      { id: 'between', split: 'validation', tokens: changed(a) },
      { id: 'a', split: 'discovery', tokens: a },
    ])
    const { dataset } = await separateSplits(made, held, { ...options, threshold: 0.6 })
    expect(dataset.windows.map(({ id }) => id)).toEqual(['a'])
  })

  test('a packed window that holds any of a dropped document goes, and a document across two splits stays in the first', async () => {
    const one = datasetOf([
      { id: 'first', split: 'discovery', tokens: a },
      { id: 'second', split: 'validation', tokens: b },
      { id: 'third', split: 'validation', tokens: c },
    ])
    const windows = one.windows.map(window =>
      window.id === 'second'
        ? { ...window, documents: window.documents.map((place, i) => (i > 55 ? 0 : place)) }
        : window,
    )
    const { dataset, dropped } = await separateSplits({ ...one, windows }, held, options)
    expect(dataset.windows.map(({ id }) => id)).toEqual(['first', 'third'])
    expect(dropped).toEqual([{ document: 'first', split: 'validation', copyOf: 'first', keptIn: 'discovery' }])
  })

  test('documents that differ stay as they are', async () => {
    const made = datasetOf([a, b, c, d].map((tokens, i) => ({ id: `${i}`, split: held[i % 3]!, tokens })))
    const { dataset, dropped, merged } = await separateSplits(made, held, options)
    expect([dataset.windows, dropped, merged]).toEqual([made.windows, [], []])
  })
})
