import { describe, expect, test } from 'vitest'
import { UserError } from './errors.ts'
import { zipOf } from './zip.fixture.ts'
import { unzip } from './zip.ts'

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

describe('an archive in memory', () => {
  test('gives its members, stored and deflated, empty ones too', () => {
    const files = { a: 'hello', 'b/c': 'x'.repeat(10_000), d: '', e: '' }
    const members = unzip(zipOf(files, { deflate: i => i % 2 === 1 }), 'x')
    expect(Object.fromEntries([...members].map(([name, bytes]) => [name, text(bytes)]))).toEqual(files)
  })
  test('takes no memory for what is stored', () => {
    const archive = zipOf({ a: 'hello' })
    expect(unzip(archive, 'x').get('a')!.buffer).toBe(archive.buffer)
  })
})

const deflate = () => true

describe('refused in one sentence is an archive', () => {
  const refused = (archive: Uint8Array, why: string) => {
    expect(() => unzip(archive, 'x.zip')).toThrow(why)
    expect(() => unzip(archive, 'x.zip')).toThrow(UserError)
  }
  test('whose members would unpack to far more than it has, by what it says', () => {
    refused(zipOf({ a: 'x' }, { deflate, size: 2 ** 31 }), 'would unpack to 2147483648')
    refused(zipOf({ a: Buffer.alloc(2 ** 27) }, { deflate }), 'more than 64 times its size is refused')
  })
  test('whose member is longer than it says, and is not unpacked any further', () => {
    const before = process.memoryUsage().arrayBuffers
    refused(zipOf({ a: Buffer.alloc(2 ** 26) }, { deflate, size: 100 }), 'a is longer than its 100 bytes')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 27)
  })
  test('that is a Git LFS pointer, which is called one', () => {
    const pointer = Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:aaaa\nsize 12345\n')
    refused(pointer, 'x.zip is a Git LFS pointer, not the file of 12345 bytes it stands for')
  })
  test('whose member is shorter than it says', () => {
    refused(zipOf({ a: 'hello' }, { deflate, size: 9 }), 'a has 5 bytes instead of 9')
  })
  test('whose stored member says two sizes', () => refused(zipOf({ a: 'hello' }, { size: 9 }), 'its two sizes differ'))
  test('whose members are no deflated bytes', () => refused(zipOf({ a: 'hello' }, { method: 8 }), 'a is damaged'))
  test('packed in a newer way', () => refused(zipOf({ a: 'hello' }, { method: 93 }), 'not known (method 93)'))
  test('that is encrypted', () => {
    const archive = zipOf({ a: 'hello' })
    archive[archive.indexOf('PK\x01\x02') + 8] = 1
    refused(archive, 'a in x.zip is encrypted')
  })
  test('with two members of one name', () => {
    const archive = zipOf({ a: 'hello', b: 'again' })
    archive[archive.lastIndexOf('b')] = 'a'.charCodeAt(0)
    refused(archive, 'it has two members a')
  })
  test('whose directory lies outside it', () => refused(zipOf({ a: 'hello'.repeat(30) }).subarray(140), 'cut short'))
  test('that claims more members than it has', () => {
    const archive = zipOf({ a: 'hello' })
    archive.writeUInt16LE(0xfffe, archive.length - 22 + 10)
    refused(archive, 'its directory is damaged')
  })
})
