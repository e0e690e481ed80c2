import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { DigestIndex } from './digest-index.ts'
import { Random } from './random.ts'
import { hasAny, pick, ReadSequence, type Sequence } from './sequence.ts'
import { Spill, SpilledNumbers } from './spill.ts'

test.each([0, 1 << 18, 1 << 24])('bytes are read as they were added, with %i of them in memory', async held => {
  const random = new Random('spill')
  const whole = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 2654435761) >>> 13)
  const spill = new Spill(held)
  for (let at = 0; at < whole.length; ) {
    const part = whole.subarray(at, at + 1 + random.int(200_000))
    spill.append(part)
    at += part.length
    // Reading between additions sees what there is, the part that waits to be written, too.
    const from = random.int(spill.length)
    const to = from + random.int(spill.length - from + 1)
    expect(Buffer.compare(spill.read(from, to), whole.subarray(from, to))).toBe(0)
  }
  expect(Buffer.compare(spill.read(0, whole.length), whole)).toBe(0)
  expect(() => spill.read(5, whole.length + 1)).toThrow(RangeError)
  expect((await readdir(tmpdir())).filter(name => name.endsWith('.spill'))).toEqual([])
})

test('numbers are read at their places', () => {
  const numbers = new SpilledNumbers(0)
  const values = Array.from({ length: 70_000 }, (_, i) => i ** 2 + 0.5)
  for (const [i, value] of values.entries()) {
    numbers.push(value)
    // The block that is still written to is read, too, and then others in its memory.
    if (i % 100 === 0) expect([numbers.at(i), numbers.at(i - (i % 32_768))]).toEqual([value, values[i - (i % 32_768)]])
  }
  expect([numbers.length, numbers.at(0), numbers.at(40_000), numbers.at(69_999)]).toEqual([
    70_000,
    values[0],
    values[40_000],
    values[69_999],
  ])
  expect(() => numbers.at(70_000)).toThrow(RangeError)
})

test('hashes are numbered by their first coming, also those that begin alike', () => {
  const index = new DigestIndex(0)
  const known = new Map<string, number>()
  const [told, expected]: [unknown[], unknown[]] = [[], []]
  for (let i = 0; i < 4000; i++) {
    const hash = createHash('sha256')
      .update(String(i % 7 === 0 ? i % 1000 : i))
      .digest()
    // Every third begins with the same word, so that slots alone do not tell it from others.
    if (i % 3 === 0) hash.writeUInt32LE(7, 0)
    const key = hash.toString('hex', 0, 16)
    const number = known.get(key) ?? known.size
    told.push(index.add(hash))
    expected.push({ number, isNew: !known.has(key) })
    known.set(key, number)
  }
  expect(JSON.stringify(told)).toBe(JSON.stringify(expected))
  expect(index.size).toBe(known.size)
})

test('a sequence that is read gives what the array of its values gives', async () => {
  const array = [3, 1, 4, 1, 5]
  const read = new ReadSequence(array.length, place => array[place]!)
  const both: readonly Sequence<number>[] = [array, read]
  for (const values of both) {
    expect([values.length, values.at(1), values.at(5), [...values]]).toEqual([5, 1, undefined, array])
    expect([...values.entries()]).toEqual([...array.entries()])
    expect(values.map((value, i) => value * i)).toEqual([0, 1, 8, 3, 20])
    expect(values.flatMap(value => (value > 3 ? [value, value] : []))).toEqual([4, 4, 5, 5])
    expect(values.filter((_, i) => i > 2)).toEqual([1, 5])
    expect([values.some(value => value === 4), values.some(value => value === 9)]).toEqual([true, false])
    expect(values.reduce((sum, value) => sum + value, 0)).toBe(14)
    expect([...(await pick(values, value => value > 1))]).toEqual([3, 4, 5])
    expect([await hasAny(values, value => value === 4), await hasAny(values, value => value === 9)]).toEqual([
      true,
      false,
    ])
  }
  expect(read.at(-1)).toBeUndefined()
})
