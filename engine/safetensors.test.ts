import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSafetensors, writeSafetensors } from './safetensors.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'))
})
afterAll(() => rm(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

/** A file of this header (an object, or its text) and this data. */
async function file(header: unknown, data: ArrayBufferView | number = 0, headerBytes?: number): Promise<string> {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const head = new Uint8Array(8 + json.length)
  new DataView(head.buffer).setBigUint64(0, BigInt(headerBytes ?? json.length), true)
  head.set(json, 8)
  const body =
    typeof data === 'number' ? Buffer.alloc(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  await writeFile(at('hand.safetensors'), Buffer.concat([head, body]))
  return at('hand.safetensors')
}
async function raw(bytes: Buffer | string): Promise<string> {
  await writeFile(at('raw.safetensors'), bytes)
  return at('raw.safetensors')
}
const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

describe('what is written is read back', () => {
  test('shapes, values and metadata', async () => {
    const path = at('a.safetensors')
    await writeSafetensors(
      path,
      {
        w: { shape: [2, 2], data: Float32Array.of(1, -2, 3.5, 0) },
        ids: { shape: [3], data: Int32Array.of(7, -1, 0) },
      },
      { note: 'é' },
    )
    const opened = await openSafetensors(path)
    expect(opened.names).toEqual(['ids', 'w'])
    expect(opened.metadata).toEqual({ note: 'é' })
    expect([opened.shape('w'), opened.dtype('w'), opened.dtype('ids')]).toEqual([[2, 2], 'F32', 'I32'])
    expect([...(await opened.read('w'))]).toEqual([1, -2, 3.5, 0])
    expect([...(await opened.readInts('ids'))]).toEqual([7, -1, 0])
    await opened.close()
  })

  test('any tensors, empty and scalar ones too', async () => {
    const shape = fc.array(fc.nat(3), { maxLength: 3 })
    const tensors = fc.dictionary(
      fc.string({ minLength: 1, maxLength: 5 }).filter(name => name !== '__metadata__' && name !== '__proto__'),
      shape.chain(s =>
        fc
          .float32Array({
            minLength: s.reduce((a, b) => a * b, 1),
            maxLength: s.reduce((a, b) => a * b, 1),
          })
          .map(data => ({ shape: s, data })),
      ),
      { maxKeys: 4 },
    )
    await fc.assert(
      fc.asyncProperty(tensors, async given => {
        await writeSafetensors(at('any.safetensors'), given)
        const opened = await openSafetensors(at('any.safetensors'))
        expect([...opened.names].sort()).toEqual(Object.keys(given).sort())
        for (const [name, { shape, data }] of Object.entries(given)) {
          expect(opened.shape(name)).toEqual(shape)
          expect(await opened.read(name)).toEqual(data)
        }
        await opened.close()
      }),
      { seed: 1, numRuns: 30 },
    )
  })

  test('with the same bytes whatever the order, and the data aligned to 8', async () => {
    const a = { shape: [1], data: Float32Array.of(1) }
    const b = { shape: [1], data: Float32Array.of(2) }
    await writeSafetensors(at('1'), { a, b }, { x: '1', y: '2' })
    await writeSafetensors(at('2'), { b, a }, { y: '2', x: '1' })
    const bytes = await readFile(at('1'))
    expect(bytes.equals(await readFile(at('2')))).toBe(true)
    expect(Number(bytes.readBigUInt64LE(0)) % 8).toBe(0)
  })

  test('a view into a larger array is written as the view alone', async () => {
    await writeSafetensors(at('v'), { a: { shape: [2], data: new Float32Array([1, 2, 3, 4]).subarray(1, 3) } })
    const opened = await openSafetensors(at('v'))
    expect([...(await opened.read('a'))]).toEqual([2, 3])
    await opened.close()
  })

  test('data of another length than the shape is refused, and nothing is left', async () => {
    await expect(writeSafetensors(at('bad'), { a: { shape: [3], data: new Float32Array(2) } })).rejects.toThrow(/3/)
    await expect(stat(at('bad'))).rejects.toThrow()
  })
})

describe('reads every number format', () => {
  test.each<[string, ArrayBufferView, number[]]>([
    ['BF16', Uint16Array.of(0x3f80, 0xc000, 0x7f80, 0x0001), [1, -2, Infinity, 2 ** -133]],
    [
      'F16',
      Uint16Array.of(0x3c00, 0xc000, 0x7c00, 0x0001, 0x3555, 0x8000),
      [1, -2, Infinity, 2 ** -24, 0.333251953125, -0],
    ],
    ['F64', Float64Array.of(1, -2.5), [1, -2.5]],
    // As torch.float8_e4m3fn and torch.float8_e5m2 have them.
    [
      'F8_E4M3',
      Uint8Array.of(0x00, 0x80, 0x01, 0x07, 0x08, 0x38, 0x3f, 0x40, 0xc4, 0x7e, 0xfe, 0x7f),
      [0, -0, 0.001953125, 0.013671875, 0.015625, 1, 1.875, 2, -3, 448, -448, Number.NaN],
    ],
    [
      'F8_E5M2',
      Uint8Array.of(0x00, 0x80, 0x01, 0x03, 0x04, 0x3c, 0x3f, 0xc1, 0x7b, 0x7c, 0xfc, 0x7e),
      [0, -0, 2 ** -16, 3 * 2 ** -16, 2 ** -14, 1, 1.75, -2.5, 57344, Infinity, -Infinity, Number.NaN],
    ],
    ['F32', Float32Array.of(0.5, -1), [0.5, -1]],
  ])('%s as float32', async (dtype, data, values) => {
    const opened = await openSafetensors(await file({ a: entry(dtype, [values.length], 0, data.byteLength) }, data))
    expect([...(await opened.read('a'))]).toEqual(values)
    await opened.close()
  })

  test.each<[string, ArrayBufferView, number[]]>([
    ['I64', BigInt64Array.of(5n, -3n), [5, -3]],
    ['I32', Int32Array.of(5, -3), [5, -3]],
    ['I16', Int16Array.of(5, -3), [5, -3]],
    ['I8', Int8Array.of(5, -3), [5, -3]],
    ['U8', Uint8Array.of(5, 250), [5, 250]],
    ['U32', Uint32Array.of(5, 7), [5, 7]],
    ['BOOL', Uint8Array.of(1, 0), [1, 0]],
  ])('%s as int32', async (dtype, data, values) => {
    const opened = await openSafetensors(await file({ a: entry(dtype, [values.length], 0, data.byteLength) }, data))
    expect([...(await opened.readInts('a'))]).toEqual(values)
    await opened.close()
  })

  test('an integer beyond 32 bits, a wrong kind and an unknown name are sentences', async () => {
    const data = BigInt64Array.of(2n ** 40n)
    const opened = await openSafetensors(await file({ a: entry('I64', [1], 0, 8) }, data))
    await expect(opened.readInts('a')).rejects.toThrow('holds 1099511627776, which is beyond 32 bits')
    await expect(opened.read('a')).rejects.toThrow(/is I64, where a floating-point tensor/)
    expect(() => opened.shape('b')).toThrow(/has no tensor b/)
    await opened.close()
  })
})

describe('a damaged file is one sentence', () => {
  const two = (a: object, b: object) => ({ a, b })
  const cases: [string, () => Promise<string>, RegExp][] = [
    ['missing', async () => at('nowhere'), /There is no safetensors file/],
    ['a folder', async () => folder, /is a folder/],
    ['shorter than 8 bytes', () => raw('abc'), /has 3 bytes/],
    ['a header larger than the file', () => file({}, 0, 1000), /claims 1000 bytes, but the file has 10/],
    ['a header of absurd length', () => file({}, 0, 2 ** 52), /claims 4503599627370496 bytes/],
    ['a header that is not JSON', () => file('{"a":', 4), /is not JSON/],
    ['a header that is not UTF-8', () => raw(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 255])), /is not JSON/],
    ['a header that is a list', () => file([]), /not a JSON object/],
    [
      'an entry without offsets',
      () => file({ a: { dtype: 'F32', shape: [1] } }, 4),
      /tensor a has a wrong entry \(data_offsets/,
    ],
    ['an entry with a key too many', () => file({ a: { ...entry('F32', [1], 0, 4), x: 1 } }, 4), /wrong entry/],
    ['a negative size', () => file({ a: entry('F32', [-1], 0, 4) }, 4), /wrong entry \(shape 0/],
    ['a fractional size', () => file({ a: entry('F32', [0.5], 0, 2) }, 2), /wrong entry \(shape 0/],
    ['metadata that is no strings', () => file({ __metadata__: { a: 1 } }), /__metadata__/],
    ['an unknown dtype', () => file({ a: entry('F31', [1], 0, 4) }, 4), /unknown dtype F31, known are/],
    ['a dtype named like a method', () => file({ a: entry('toString', [1], 0, 4) }, 4), /unknown dtype toString/],
    [
      'a shape that takes another length',
      () => file({ a: entry('F32', [3], 0, 4) }, 4),
      /takes 12 bytes, but it has 4/,
    ],
    [
      'an absurd shape',
      () => file({ a: entry('F32', [2 ** 31, 2 ** 31, 2 ** 31], 0, 4) }, 4),
      /takes 3.9\d+e\+28 bytes/,
    ],
    [
      'data cut short',
      () => file({ a: entry('F32', [4], 0, 16) }, 12),
      /cut short: tensor a ends at byte 16 of the data, which has 12/,
    ],
    ['data too long', () => file({ a: entry('F32', [1], 0, 4) }, 12), /last 8 bytes of the data belong to no tensor/],
    ['an end before the begin', () => file({ a: entry('F32', [1], 4, 0) }, 4), /before it begins/],
    [
      'overlapping tensors',
      () => file(two(entry('F32', [2], 0, 8), entry('F32', [2], 4, 12)), 12),
      /tensors a and b overlap at byte 4/,
    ],
    [
      'a gap',
      () => file(two(entry('F32', [1], 0, 4), entry('F32', [1], 8, 12)), 12),
      /bytes 4 to 8 of the data, before tensor b/,
    ],
    [
      'a name twice',
      () =>
        file(
          '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
          4,
        ),
      /names "a" twice/,
    ],
    [
      'an entry key twice',
      () => file('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
      /names "dtype" twice/,
    ],
  ]
  test.each(cases)('%s', async (_, make, message) => {
    const path = await make()
    await expect(openSafetensors(path)).rejects.toThrow(message)
    await expect(openSafetensors(path)).rejects.toMatchObject({ exitCode: 1 })
  })

  test('a string that looks like a key does not count as one', async () => {
    const opened = await openSafetensors(await file({ __metadata__: { a: '"a": {"a": [', b: 'a' } }))
    expect(opened.metadata.a).toBe('"a": {"a": [')
    await opened.close()
  })

  test('any bytes give a sentence or a file, never a crash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat(20), async (header, data) => {
        const path = await file(header, data)
        const error = await openSafetensors(path).then(
          opened => opened.close(),
          (problem: unknown) => problem,
        )
        if (error !== undefined) expect(error).toMatchObject({ name: 'UserError' })
      }),
      { seed: 1, numRuns: 100 },
    )
  })
})
