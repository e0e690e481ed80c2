import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { type ActivationSource, RowStream } from './rows.ts'

/** A source whose row r of site s holds r + s/10 in every column. */
function numbered(rows: number, sites = ['a'], width = 2): ActivationSource & { reads: number } {
  return {
    reads: 0,
    rows,
    sites: sites.map(name => ({ name, width })),
    async readRange(site, start, count) {
      this.reads++
      return Float32Array.from(
        { length: count * width },
        (_, i) => start + Math.floor(i / width) + sites.indexOf(site) / 10,
      )
    },
  }
}

const rowsOf = (batch: Float32Array, width = 2) =>
  Array.from({ length: batch.length / width }, (_, i) => batch[i * width]!)

async function epoch(rows: number, bytes: number, batch: number, seed = 0, from = 0) {
  const stream = new RowStream(numbered(rows), ['a'], { rows, seed, bytes })
  const served: number[] = []
  for (let at = from; at < from + rows; at += batch)
    served.push(...rowsOf(await stream.read(at, Math.min(batch, from + rows - at))))
  return served
}

const ascending = (rows: number) => Array.from({ length: rows }, (_, i) => i)
const sorted = (values: number[]) => [...values].sort((a, b) => a - b)

describe('an epoch', () => {
  test('serves each row once, whatever fits into memory', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3000 }),
        fc.constantFrom(1, 5000, 1e9),
        fc.integer({ min: 1, max: 700 }),
        async (rows, bytes, batch) => {
          expect(sorted(await epoch(rows, bytes, batch))).toEqual(ascending(rows))
        },
      ),
      { seed: 1, numRuns: 30 },
    )
  })

  test('is in another order each time, and in the same order for the same seed', async () => {
    for (const bytes of [8192, 1e9]) {
      const first = await epoch(1500, bytes, 100)
      expect(await epoch(1500, bytes, 100)).toEqual(first)
      expect(await epoch(1500, bytes, 100, 1)).not.toEqual(first)
      expect(await epoch(1500, bytes, 100, 0, 1500)).not.toEqual(first)
      expect(first).not.toEqual(ascending(1500))
    }
  })

  test('mixes rows from all over the capture even when few fit into memory', async () => {
    const served = await epoch(10_240, 2 * 2560 * 2 * 4, 256)
    const spread = Math.max(...served.slice(0, 256)) - Math.min(...served.slice(0, 256))
    expect(spread).toBeGreaterThan(4000)
  })
})

test('the stream goes on over the end of an epoch inside a batch', async () => {
  const stream = new RowStream(numbered(10), ['a'], { rows: 10, seed: 0, bytes: 1e6 })
  const both = rowsOf(await stream.read(0, 20))
  expect(sorted(both.slice(0, 10))).toEqual(ascending(10))
  expect(sorted(both.slice(10))).toEqual(ascending(10))
})

test('a position is all it takes to go on: reading from the middle gives the same rows', async () => {
  for (const bytes of [8192, 1e9]) {
    const options = { rows: 2000, seed: 5, bytes }
    const whole = await new RowStream(numbered(2000), ['a'], options).read(0, 5000)
    const later = await new RowStream(numbered(2000), ['a'], options).read(3100, 900)
    expect([...later]).toEqual([...whole.subarray(3100 * 2, 4000 * 2)])
  }
})

test('what arrives late and out of order is served as if it had been there', async () => {
  const plain = numbered(3000)
  const waits = new Random(1)
  const slow: ActivationSource = {
    ...plain,
    async readRanges(site, ranges, out) {
      let at = 0
      for (const { start, count } of ranges) {
        await sleep(waits.int(4))
        out.set(await plain.readRange(site, start, count), at)
        at += count * 2
      }
    },
  }
  for (const bytes of [8192, 1e9]) {
    const options = { rows: 3000, seed: 2, bytes }
    const [expected, served] = [plain, slow].map(source => new RowStream(source, ['a'], options))
    for (let at = 0; at < 9000; at += 450)
      expect([...(await served!.read(at, 450))]).toEqual([...(await expected!.read(at, 450))])
  }
})

test('a range that cannot be read is said, whether it is served now or read ahead', async () => {
  const broken = { ...numbered(3000), readRange: async () => Promise.reject(new Error('gone')) }
  const stream = new RowStream(broken, ['a'], { rows: 3000, seed: 0, bytes: 8192 })
  await expect(stream.read(0, 10)).rejects.toThrow('gone')
})

test('rows go into an array that is given, and what it held before does not matter', async () => {
  const stream = new RowStream(numbered(700), ['a'], { rows: 700, seed: 4, bytes: 4096 })
  const batch = new Float32Array(2 * 100).fill(Number.NaN)
  const fresh = new RowStream(numbered(700), ['a'], { rows: 700, seed: 4, bytes: 4096 })
  for (const at of [0, 600, 1300]) {
    expect(await stream.read(at, 100, batch)).toBe(batch)
    expect([...batch]).toEqual([...(await fresh.read(at, 100))])
  }
})

test('memory does not grow with what was read: two pools take turns', async () => {
  const plain = numbered(5000)
  const memories = new Set<ArrayBufferLike>()
  const source: ActivationSource = {
    ...plain,
    async readRanges(site, ranges, out) {
      memories.add(out.buffer)
      for (const { start, count } of ranges) out.set(await plain.readRange(site, start, count))
    },
  }
  const stream = new RowStream(source, ['a'], { rows: 5000, seed: 0, bytes: 8192 })
  for (let at = 0; at < 20_000; at += 500) await stream.read(at, 500)
  expect(memories.size).toBe(2)
})

test('a capture that fits into memory is read once, however many epochs', async () => {
  const source = numbered(1000)
  const stream = new RowStream(source, ['a'], { rows: 1000, seed: 0, bytes: 1e6 })
  for (let at = 0; at < 5000; at += 500) await stream.read(at, 500)
  expect(source.reads).toBe(1)
})

test('several sites lie side by side in a row', async () => {
  const stream = new RowStream(numbered(3, ['a', 'b']), ['b', 'a'], { rows: 3, seed: 0, bytes: 1e6 })
  const batch = [...(await stream.inOrder(1, 1))]
  expect(batch.map(value => Number(value.toFixed(1)))).toEqual([1.1, 1.1, 1, 1])
})

test('rows kept back at the end are never served', async () => {
  const stream = new RowStream(numbered(100), ['a'], { rows: 60, seed: 0, bytes: 1e6 })
  expect(Math.max(...rowsOf(await stream.read(0, 600)))).toBe(59)
})
