import { describe, expect, test } from 'vitest'
import { ReadSequence } from '../core/sequence.ts'
import type { TokenDataset } from '../datasets/document.ts'
import { Looks } from '../datasets/looks.fixture.ts'
import { unitOf } from '../datasets/unit.ts'
import { fakeDataset } from '../latents/fake.fixture.ts'
import { fewValued } from './claims/labelled-text.ts'
import { ValidateConfig } from './config.ts'
import { checkInputs, type ValidateInputs } from './inputs.ts'
import { splitText } from './splits.ts'

const dataset = fakeDataset(60)
const split = (
  settings: Record<string, unknown>,
  more: { dataset?: TokenDataset; outOfDistribution?: TokenDataset } = {},
  stop?: () => void,
) => splitText({ dataset, ...more, config: ValidateConfig.parse(settings) }, 1, stop)
const documentsOf = (windows: readonly { readonly id: string }[]) => windows.map(({ id }) => id)

describe('the splits of a validation', () => {
  test('without settings are those of the dataset, and nothing is out of distribution', async () => {
    const { windows, splits } = await split({})
    expect(windows.outOfDistribution).toEqual([])
    expect(splits.discovery).toEqual(documentsOf(dataset.windows.filter(({ split }) => split === 'discovery')))
    expect(splits.nearDuplicates).toMatchObject({ dropped: 0, merged: 0 })
  })

  test('held-out documents of a stratum leave discovery and validation, and no training text comes in', async () => {
    const { windows } = await split({ outOfDistribution: { strata: { half: ['odd'] } } })
    const isOdd = (window: { readonly index: number }) => window.index % 2 === 1
    expect(windows.outOfDistribution.length).toBeGreaterThan(0)
    expect(windows.outOfDistribution.every(isOdd)).toBe(true)
    expect([...windows.discovery, ...windows.validation].some(isOdd)).toBe(false)
    const trained = new Set(dataset.windows.flatMap(({ split, id }) => (split === 'train' ? [id] : [])))
    expect(windows.outOfDistribution.some(({ id }) => trained.has(id))).toBe(false)
  })

  test('another dataset is out of distribution as a whole, under names of its own', async () => {
    const other = { ...fakeDataset(12, { seed: 5 }), name: 'other' }
    const { dataset: all, windows } = await split({}, { outOfDistribution: other })
    expect(documentsOf(windows.outOfDistribution)).toEqual(other.windows.map(({ id }) => `other:${id}`))
    const [first] = windows.outOfDistribution
    expect(unitOf(all, first!)).toBe('other:document-0')
    expect([...first!.tokens]).toEqual([...other.windows.at(0)!.tokens])
    expect(new Set(all.windows.map(({ index }) => index)).size).toBe(72)
  })

  test('text of copies alone is refused with what was left out, and why', async () => {
    const first = dataset.windows.find(({ split }) => split === 'discovery')!
    const windows = dataset.windows.map(window =>
      window.split === 'validation' ? { ...window, tokens: first.tokens } : window,
    )
    await expect(split({}, { dataset: { ...dataset, windows } })).rejects.toThrow(
      /^No validation text is left: \d+ of its documents are nearly the same as documents of an earlier split \(nearDuplicate 0.4\)/,
    )
  })

  test('copies that differ in every tenth token of documents of discovery text are no validation text', async () => {
    const discovery = dataset.windows.filter(({ split }) => split === 'discovery')
    const copied = dataset.windows.filter(({ split }) => split === 'validation').slice(0, discovery.length - 1)
    const windows = dataset.windows.map(window => {
      const place = copied.indexOf(window)
      if (place < 0) return window
      const other = discovery[place + 1]!.tokens
      return { ...window, tokens: discovery[place]!.tokens.map((token, i) => (i % 10 === 5 ? other[i]! : token)) }
    })
    const { windows: kept, splits } = await split({}, { dataset: { ...dataset, windows } })
    const names = new Set(documentsOf(copied))
    expect(documentsOf(kept.validation).filter(id => names.has(id))).toEqual([])
    expect(kept.validation.length).toBeGreaterThan(0)
    expect(splits.nearDuplicates.dropped).toBe(copied.length)
    expect(splits.nearDuplicates.merged).toBe(0)
  })

  test('text that is in an earlier split already is dropped, counted and named', async () => {
    const other = { ...fakeDataset(12), name: 'same' }
    const { windows, splits } = await split({}, { outOfDistribution: other })
    // Of twelve documents four are training text, which nothing here is held against.
    expect(documentsOf(windows.outOfDistribution)).toEqual([
      'same:document-0',
      'same:document-1',
      'same:document-6',
      'same:document-7',
    ])
    expect(splits.nearDuplicates.dropped).toBe(8)
    expect(splits.nearDuplicates.droppedDocuments[0]).toEqual({
      ...{ document: 'same:document-2', split: 'outOfDistribution' },
      ...{ copyOf: 'document-2', keptIn: 'discovery' },
    })
  })

  test('are the same of windows and documents that are read, and these are not held', async () => {
    const read = <T>(values: Iterable<T>) => {
      const held = [...values]
      return new ReadSequence(held.length, place => held[place]!)
    }
    const spilled = (one: TokenDataset) => ({ ...one, documents: read(one.documents), windows: read(one.windows) })
    const other = { ...fakeDataset(12, { seed: 5 }), name: 'other' }
    const settings = { outOfDistribution: { strata: { half: ['odd'] } } }
    const held = await split(settings, { outOfDistribution: other })
    const found = await split(settings, { dataset: spilled(dataset), outOfDistribution: spilled(other) })
    expect(found.splits).toEqual(held.splits)
    expect(found.windows).toEqual(held.windows)
    expect([...found.dataset.windows]).toEqual([...held.dataset.windows])
    expect([...found.dataset.documents]).toEqual([...held.dataset.documents])
    expect(found.dataset.windows).toBeInstanceOf(ReadSequence)
    expect(found.dataset.documents).toBeInstanceOf(ReadSequence)
  })

  test('one document sixteen times under other names is one unit of validation', async () => {
    const copied = dataset.windows.filter(({ split }) => split === 'validation').slice(0, 16)
    const windows = dataset.windows.map(window =>
      copied.includes(window) ? { ...window, tokens: copied[0]!.tokens } : window,
    )
    const found = await split({}, { dataset: { ...dataset, windows } })
    const units = found.windows.validation.map(window => unitOf(found.dataset, window))
    expect(new Set(units).size).toBe(units.length - 15)
    expect(found.splits.nearDuplicates.merged).toBe(15)
  })

  const checked = (strata: Record<string, string[]>, own: TokenDataset, stop?: () => void) => {
    const sae = { width: 8, outputs: 8, latents: 4, metadata: { hook_name: 'x' } }
    const config = ValidateConfig.parse({ outOfDistribution: { strata } })
    return checkInputs({ model: { sites: [] }, sae, dataset: own, config } as unknown as ValidateInputs, stop)
  }

  test('a stratum or value that no document has is refused with the nearest', async () => {
    await expect(checked({ halves: ['odd'] }, dataset)).rejects.toThrow('outOfDistribution.strata names halves')
    await expect(checked({ half: ['od'] }, dataset)).rejects.toThrow('outOfDistribution.strata.half names od')
  })

  test('are found in passes that look for Ctrl-C all the time, to the same end', async () => {
    const other = { ...fakeDataset(12), name: 'same' }
    const settings = { outOfDistribution: { strata: { half: ['odd'] } } }
    const expected = await split(settings, { outOfDistribution: other })
    const looks = new Looks()
    const more = { dataset: looks.at(dataset), outOfDistribution: looks.at(other) }
    const found = await split(settings, more, looks.stop)
    expect([found.splits, found.windows]).toEqual([expected.splits, expected.windows])
    await expect(checked({ half: ['od'] }, more.dataset, looks.stop)).rejects.toThrow('names od')
    expect(await fewValued(more.dataset, looks.stop)).toEqual(['half'])
    expect(looks.reads).toBeGreaterThan(5 * 72)
    // What lies between two looks does not grow with the text.
    expect(looks.longest).toBeLessThan(8)
  })

  test('are not found where the work is to end', async () => {
    const looks = new Looks(100)
    await expect(split({}, { dataset: looks.at(dataset) }, looks.stop)).rejects.toThrow('told to stop')
    expect(looks.reads).toBeLessThan(200)
  })
})
