import { describe, expect, test } from 'vitest'
import { pageOf } from './cursor.ts'
import { curvesOf } from './curves.ts'
import { type FilterColumn, filterOf } from './filter.ts'
import { histogramOf } from './histogram.ts'
import { parsePlace, placeText } from './place.ts'
import { redacted } from './redact.ts'
import { select } from './select.ts'

const texts = (...values: (string | null)[]): FilterColumn => ({ kind: 'text', text: row => values[row]! })
const numbers = (...values: (number | null)[]): FilterColumn => ({
  kind: 'number',
  values: Float64Array.from(values, value => value ?? Number.NaN),
})
const columns: Record<string, FilterColumn> = {
  density: numbers(0.5, null, 0.25, 0.25),
  label: texts('Red apple', null, 'a "b" c', 'null'),
  concept: texts('language=french', 'x', null, 'y)'),
}
const table = { rows: 4, names: Object.keys(columns), orders: new Map(), column: (name: string) => columns[name]! }
const rows = (condition: string) => [0, 1, 2, 3].filter(filterOf(condition, table))

describe('conditions', () => {
  test.each<[string, number[]]>([
    ['density>=0.25', [0, 2, 3]],
    ['density < .5', [2, 3]],
    ['density=null', [1]],
    ['density!=null', [0, 2, 3]],
    ['density!=0.25', [0, 1]],
    ['label~APPLE', [0]],
    ['label="Red apple"', [0]],
    ['label="a \\"b\\" c"', [2]],
    ['label=null', [1]],
    ['label="null"', [3]],
    ['label!=null', [0, 2, 3]],
    ['concept=language=french', [0]],
    ['concept="y)"', [3]],
    ['density=.25 and label~b or label~apple', [0, 2]],
    ['density=.25 and (label~b or label~apple)', [2]],
    ['not density=.25', [0, 1]],
    ['not (density>0 or label=null)', []],
    ['NOT density=.25 AND label~red', [0]],
  ])('%s', (condition, expected) => expect(rows(condition)).toEqual(expected))

  test.each([
    ['densty>1', /no column "densty"/],
    ['density', /no comparison follows/],
    ['density>', /no value follows/],
    ['density>x', /"x" in .* is no number/],
    ['density~1', /looks into texts/],
    ['label<3', /compares numbers/],
    ['(density>1', /not closed/],
    ['density>1 label=x', /"label" is one word too many/],
    ['label=red apple', /"apple" is one word too many/],
    ['label="red', /cannot be read from/],
    ['', /something is missing/],
    [`${'('.repeat(60)}density>1${')'.repeat(60)}`, /nested too deeply/],
    ['density>1 or '.repeat(400), /characters; at most/],
    ['constructor=1', /no column "constructor"/],
  ])('%s is refused', (condition, message) => expect(() => rows(condition)).toThrow(message))

  test('order keeps what is missing last and equals in their place', () => {
    const order = (sort: string) => [...select(table, { where: [], sort })]
    expect(order('density')).toEqual([2, 3, 0, 1])
    expect(order('-density')).toEqual([0, 2, 3, 1])
    expect(order('label')).toEqual([0, 2, 3, 1])
    expect([...select(table, { where: ['density>0.3 or label="null"'], sort: '-density' })]).toEqual([0, 3])
  })
})

describe('curves', () => {
  const records = [...Array(1000).keys()].map(step => ({ step, loss: step === 500 ? 99 : 1, text: 'x' }))
  test('keep a spike of one record in a thousand', () => {
    const { curves, width } = curvesOf(records, { keys: [], x: 'step', buckets: 10 })
    expect(curves.map(({ key }) => key)).toEqual(['loss'])
    const [{ x, min, max, last, count }] = curves as [(typeof curves)[0]]
    expect(width).toBeCloseTo(99.9)
    expect([Math.max(...max), Math.max(...min), Math.max(...last)]).toEqual([99, 1, 1])
    expect(count.reduce((a, b) => a + b)).toBe(1000)
    expect(x.length).toBe(10)
    expect(x.at(-1)).toBe(999)
  })
  test('say where values are missing, where x goes back, and refuse what no record has', () => {
    const some = [{ step: 0, loss: 1 }, { step: 5, loss: null }, { step: 3, loss: 2 }, { other: 1 }]
    const { curves, resumed, skipped } = curvesOf(some, { keys: ['loss'], x: 'step', buckets: 4 })
    expect(curves[0]!.missing).toEqual([5])
    expect([resumed, skipped]).toEqual([[3], 1])
    expect(() => curvesOf(some, { keys: ['los'], x: 'step', buckets: 4 })).toThrow(/"los"/)
    expect(() => curvesOf(records, { keys: [], x: 'step', buckets: 1, grid: 0.001 })).toThrow(/more than/)
  })
  test('of one grid have the same edges whatever their range', () => {
    const at = (from: number) =>
      curvesOf(records, { keys: ['loss'], x: 'step', from, buckets: 1, grid: 100 }).curves[0]!.x
    expect(at(150).slice(1)).toEqual(at(0).slice(2))
  })
})

test('a histogram counts every value once and tells of those it cannot show', () => {
  const values = Float64Array.of(0, 1, 10, 100, Number.NaN, -5)
  const all = Int32Array.from(values.keys())
  expect(histogramOf(values, all, 2, 'log')).toEqual({ edges: [1, 10, 100], counts: [1, 2], missing: 1, notShown: 2 })
  expect(histogramOf(values, all.subarray(0, 4), 4, 'linear').counts).toEqual([3, 0, 0, 1])
  expect(histogramOf(values, all.subarray(1, 2), 3, 'linear').counts).toEqual([1, 0, 0])
  expect(histogramOf(values, all.subarray(4, 5), 3, 'linear').edges).toEqual([])
})

test('a cursor goes on in its own list alone', () => {
  const list = [1, 2, 3, 4, 5]
  const first = pageOf(list, { limit: 2 }, 'list')
  expect(first).toMatchObject({ entries: [1, 2], total: 5 })
  const second = pageOf(list, { limit: 3, cursor: first.next! }, 'list')
  expect(second).toEqual({ entries: [3, 4, 5], total: 5, next: null })
  expect(() => pageOf(list, { limit: 2, cursor: first.next! }, 'other')).toThrow(/another list/)
  expect(() => pageOf(list, { limit: 2, cursor: '1.zz' }, 'list')).toThrow(/no cursor/)
  expect(() => pageOf(list, { limit: 2, cursor: first.next!, offset: 1 }, 'list')).toThrow(/not both/)
})

test('a place of a stream is written and read back, and nothing else is one', () => {
  expect([...parsePlace(placeText(new Map([['run-1', 5]])))]).toEqual([['run-1', 5]])
  for (const wrong of ['run', 'run:-1', '../x:1', 'run:1e3', 'run:1,,x'])
    expect(() => parsePlace(wrong)).toThrow(/no place/)
})

describe('secrets', () => {
  const clean = (value: unknown) => redacted(value, { HF_TOKEN: 'geheimnis-123', PATH: '/usr/bin' })
  test('are left out by name, by their looks and where the environment holds them', () => {
    const found = JSON.stringify(
      clean({
        apiKey: 'abc',
        nested: [{ hf_token: 'abc', password: 'abc', Authorization: 'abc' }],
        address: 'https://me:abc@host/x',
        note: 'with hf_abcabcabcabcabcabcabc and sk-abc_abc-abcabcabc, Bearer abcabcabcabcabc, geheimnis-123',
      }),
    )
    expect(found).not.toMatch(/abc|geheimnis/)
    expect(found).toContain('/x')
  })
  test('are not seen where there are none', () => {
    const value = { tokens: 5, batchTokens: 8, bosToken: '<s>', tokenizer: 'x', path: '/usr/bin/a', key: 'k', n: null }
    expect(clean(value)).toEqual(value)
  })
})
