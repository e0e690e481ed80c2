/** Functions of the addon on the program's own arrays: each gives what its plain version gives, to the last bit. */
import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { collectGarbage } from '../../core/memory.ts'
import { Random } from '../../core/random.ts'
import type { InstructionSet } from '../isa.ts'
import { gatherRows, placeColumns, plainGatherRows, plainPlaceColumns } from './gather.ts'
import {
  floatsToHalves,
  fromHalf,
  halvesToFloats,
  plainFloatsToHalves,
  plainHalvesToFloats,
  plainRoundingOf,
  roundingOf,
} from './halves.ts'
import { deviations, plainDeviations, plainRowSums, rowSums } from './moments.ts'
import { availableInstructions, hostFunction, opInstructions, setOpInstructions } from './native.ts'
import { plainReadSegments, readSegments } from './segments.ts'
import { shuffleWords } from './shuffle.ts'
import { everyWay, opsTestable, startOps } from './testing.ts'

test('sums rows that one can check by eye', () => {
  const values = Float32Array.of(1, 2, 3, -4)
  expect(plainRowSums(values, 2, Float32Array.of(1, 0.5))).toEqual({
    sums: Float64Array.of(4, -2),
    weighted: Float64Array.of(2.5, 0),
    squares: Float64Array.of(5, 25),
  })
  expect(plainDeviations(values, Float64Array.of(2, -1))).toEqual(Float64Array.of(2, 18))
})

describe.skipIf(!opsTestable)('moments of rows, natively', () => {
  beforeAll(() => startOps())

  test.each([
    [0, 3],
    [1, 1],
    [7, 5],
    [9, 64],
    [1030, 65],
    [33, 768],
  ])('are those of the plain version to the last bit: %i rows of %i', (rows, width) => {
    const random = new Random('moments', rows, width)
    const values = random.normals(rows * width, 3)
    const weight = Float32Array.from({ length: rows }, () => 1 / random.uniform())
    const mean = Float64Array.from({ length: width }, () => random.normal())
    const [plain, plainM2] = [plainRowSums(values, width, weight), plainDeviations(values, mean)]
    everyWay(name => {
      expect(rowSums(values, width, weight), name).toEqual(plain)
      expect(deviations(values, mean), name).toEqual(plainM2)
    })
  })

  test('keep numbers too small to be normal, infinities and NaN in their places', () => {
    const values = Float32Array.of(2 ** -149, -(2 ** -140), 1, 3e38, Number.POSITIVE_INFINITY, 0, 1, Number.NaN, 2)
    const weight = Float32Array.of(2 ** -149, 1, 1)
    const plain = plainRowSums(values, 3, weight)
    expect(Array.from(plain.squares, Number.isFinite)).toEqual([true, false, false])
    everyWay(name => {
      expect(rowSums(values, 3, weight), name).toEqual(plain)
      const tiny = values.subarray(0, 2)
      expect(rowSums(tiny, 1, weight.subarray(0, 2)).sums, name).toEqual(Float64Array.of(2 ** -149 - 2 ** -140))
    })
  })

  test('of memory that threads share are the same, and wrong sizes are refused', () => {
    const shared = new Float32Array(new SharedArrayBuffer(24))
    shared.set([1, 2, 3, 4, 5, 6])
    expect(rowSums(shared, 3, Float32Array.of(1, 2))).toEqual(plainRowSums(shared, 3, Float32Array.of(1, 2)))
    expect(() => rowSums(shared, 4, Float32Array.of(1, 2))).toThrow('The rows do not have this width.')
    expect(() => deviations(shared, new Float64Array(4))).toThrow('The rows do not have this width.')
    const sums = [new Float64Array(3), new Float64Array(2), new Float64Array(2)]
    expect(() => hostFunction('rowSums')!(shared, Float32Array.of(1, 2), ...sums)).toThrow('do not fit')
    expect(() => hostFunction('rowSums')!(shared, shared, shared, shared, shared)).toThrow('Argument 2 is not an array')
    expect(() => hostFunction('rowSum')).toThrow('The addon has no function rowSum.')
  })
})

test('says what rounding changed, by dimension', () => {
  const found = plainRoundingOf(Float32Array.of(1, 2, 3, 4), Float32Array.of(1.5, 2, 2, 4.25), 2)
  expect(found).toEqual({
    error: Float64Array.of(1.25, 0.0625),
    squares: Float64Array.of(10, 20),
    largest: Float64Array.of(1, 0.25),
  })
})

describe.skipIf(!opsTestable)('halves, natively', () => {
  beforeAll(() => startOps())

  test('all 65,536 of them become the numbers of the plain version, NaN as NaN', () => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i)
    const plain = plainHalvesToFloats(bits, new Float32Array(65_536))
    const words = new Set<string>()
    everyWay(name => {
      const found = halvesToFloats(bits, new Float32Array(65_536))
      for (let i = 0; i < 65_536; i++)
        if (!Object.is(found[i], plain[i])) throw new Error(`${name}: half ${i} is ${found[i]}, not ${plain[i]}`)
      words.add(createHash('sha256').update(new Uint8Array(found.buffer)).digest('hex'))
    })
    // What a NaN carries is no part of it.
    expect(words.size).toBe(1)
  })

  test('are the nearest, at and beside every middle between two and at every exponent', () => {
    const values: number[] = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38]
    for (let half = 0; half < 0x7c00; half++) {
      const middle = (fromHalf(half) + fromHalf(half + 1)) / 2
      if (Number.isFinite(middle)) values.push(middle, -middle, middle * (1 + 2 ** -23), middle * (1 - 2 ** -23))
    }
    const random = new Random('halves')
    for (let exponent = -149; exponent < 128; exponent++) values.push(2 ** exponent, random.uniform() * 2 ** exponent)
    const floats = Float32Array.from(values)
    const plain = plainFloatsToHalves(floats, new Uint16Array(floats.length))
    everyWay(name => expect(floatsToHalves(floats), name).toEqual(plain))
  })

  test('changed as much as the plain version says, to the last bit', () => {
    const computed = new Random('rounding').normals(130 * 67, 5)
    computed.set([1e-30, 2 ** -149, 6e-8])
    const stored = halvesToFloats(floatsToHalves(computed), new Float32Array(computed.length))
    const plain = plainRoundingOf(computed, stored, 67)
    expect(plain.largest[0]).toBeGreaterThan(0)
    everyWay(name => expect(roundingOf(computed, stored, 67), name).toEqual(plain))
    expect(() => roundingOf(computed, stored, 66)).toThrow('The rows do not have this width.')
  })
})

describe.skipIf(!opsTestable)('rows in another order, natively', () => {
  beforeAll(() => startOps())

  test.each([
    [1, 1],
    [5, 3],
    [4099, 17],
    [300, 768],
  ])('are copied as by the plain version: %i rows of %i', (rows, width) => {
    const random = new Random('gather', rows, width)
    const from = random.normals(rows * width)
    const order = random.shuffle(Uint32Array.from({ length: rows + 7 }, (_, i) => i % rows))
    const plain = new Float32Array(order.length * width)
    plainGatherRows(from, width, order, plain)
    everyWay(name => {
      const found = new Float32Array(plain.length)
      gatherRows(from, width, order, found)
      expect(Buffer.from(found.buffer).equals(Buffer.from(plain.buffer)), name).toBe(true)
    })
  })

  test('are refused where there is no such row, or no place for it', () => {
    const [from, to] = [new Float32Array(6), new Float32Array(4)]
    expect(() => gatherRows(from, 2, Uint32Array.of(0, 3), to)).toThrow('Row 3 was asked for of 3.')
    expect(() => gatherRows(from, 2, Uint32Array.of(0), to)).toThrow('There is no place for these rows.')
    expect(() => gatherRows(from, 0, new Uint32Array(), to)).toThrow('There is no place for these rows.')
  })
})

describe.skipIf(!opsTestable)('rows beside others, numbers in random order and parts of files', () => {
  beforeAll(() => startOps())

  test('columns are placed as by the plain version', () => {
    const from = new Random('columns').normals(7 * 3)
    const [plain, found] = [new Float32Array(7 * 5), new Float32Array(7 * 5)]
    plainPlaceColumns(from, 3, plain, 5, 1)
    placeColumns(from, 3, found, 5, 1)
    expect(found).toEqual(plain)
    expect([...found.subarray(0, 5)]).toEqual([0, from[0], from[1], from[2], 0])
    expect(() => placeColumns(from, 3, found, 5, 3)).toThrow('There is no place for these columns.')
  })

  test.each([0, 1, 2, 1000, 70_001])('%i numbers are shuffled as by the stream itself, which goes on alike', count => {
    const [random, same] = [new Random('shuffle', count), new Random('shuffle', count)]
    const items = Uint32Array.from({ length: count }, (_, i) => i * 3)
    const expected = random.shuffle(items.slice())
    const after = shuffleWords(items, same)
    expect(Buffer.from(items.buffer).equals(Buffer.from(expected.buffer))).toBe(true)
    expect(after.bits()).toBe(random.bits())
  })

  test('parts of files are read one after the other; one that its file does not hold is named', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'segments-')), 'floats')
    const values = Float32Array.from({ length: 1000 }, (_, i) => i / 7)
    await writeFile(path, new Uint8Array(values.buffer))
    const file = openSync(path, 'r')
    const segments = (...of: [number, number][]) => ({
      files: new Uint32Array(of.length).fill(file),
      places: Float64Array.from(of, ([place]) => place * 4),
      bytes: Uint32Array.from(of, ([, count]) => count * 4),
    })
    try {
      for (const read of [readSegments, plainReadSegments]) {
        const to = new Float32Array(6)
        expect(await read(segments([500, 2], [3, 3], [0, 0], [999, 1]), to)).toBe(-1)
        expect(to).toEqual(Float32Array.from([500, 501, 3, 4, 5, 999], i => values[i]!))
        expect(await read(segments([0, 1], [999, 5]), to)).toBe(1)
        const bad = { ...segments([0, 6]), files: Uint32Array.of(99_999) }
        await expect(Promise.resolve(read(bad, to))).rejects.toThrow(/bad file descriptor/i)
      }
      expect(() => readSegments(segments([0, 5]), new Float32Array(6))).toThrow('do not fill the array')
    } finally {
      closeSync(file)
      await rm(dirname(path), { recursive: true })
    }
  })

  test('halves in files become their numbers, also where they are more than are widened at once', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'segments-')), 'halves')
    const halves = Uint16Array.from({ length: 40_000 }, (_, i) => i * 3)
    await writeFile(path, new Uint8Array(halves.buffer))
    const file = openSync(path, 'r')
    const segments = {
      files: Uint32Array.of(file, file),
      places: Float64Array.of(2 * 7, 0),
      bytes: Uint32Array.of(2 * 39_993, 2 * 5),
    }
    const before = opInstructions() as InstructionSet
    const expected = plainHalvesToFloats(
      Uint16Array.from([...halves.subarray(7), ...halves.subarray(0, 5)]),
      new Float32Array(39_998),
    )
    try {
      for (const set of availableInstructions())
        for (const read of [readSegments, plainReadSegments]) {
          setOpInstructions(set)
          const found = new Float32Array(39_998)
          expect(await read(segments, found, 'float16')).toBe(-1)
          expect(found, set).toEqual(expected)
          const beyond = { ...segments, bytes: Uint32Array.of(2 * 39_994, 2 * 4) }
          expect(await read(beyond, found, 'float16')).toBe(0)
        }
      expect(() => readSegments({ ...segments, bytes: Uint32Array.of(3, 1) }, new Float32Array(2), 'float16')).toThrow(
        'A half has two bytes.',
      )
    } finally {
      setOpInstructions(before)
      closeSync(file)
      await rm(dirname(path), { recursive: true })
    }
  })

  test('an array is held until it is filled and not longer, nor where its reading is refused', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'segments-')), 'floats')
    const count = 1 << 20
    await writeFile(path, new Uint8Array(4 * count))
    const file = openSync(path, 'r')
    const one = { files: Uint32Array.of(file), places: Float64Array.of(0), bytes: Uint32Array.of(4 * count) }
    try {
      collectGarbage()
      const before = process.memoryUsage().arrayBuffers
      for (let i = 0; i < 8; i++) {
        await readSegments(one, new Float32Array(count))
        expect(() => readSegments(one, new Float32Array(count + 1))).toThrow('do not fill')
      }
      // Arrays are given back by a thread of the engine, a while after they were found to be free.
      await vi.waitFor(
        () => {
          collectGarbage()
          expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * count)
        },
        { timeout: 10_000 },
      )
    } finally {
      closeSync(file)
      await rm(dirname(path), { recursive: true })
    }
  })
})
