/** Zstandard as its own program packs it: what is damaged is refused, whatever part of it was. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hasChecksum, unzstandard } from './zstandard.ts'

const lines = Array.from({ length: 40 }, (_, i) => `{"text":"the same words again and again, number ${i}"}\n`).join('')
/** `zstd -19` of the lines in a file: with its size and a checksum. */
const checked = Buffer.from(
  'KLUv/WQ+BxUEAKLFExeQuwGr6TsF4t829P+ylzYlJYE0jS2MC0CUbKn35tXEbKn35tW0bKn35lVlS703rwJRJlTcgDQPA+I1fEcrGi6EkjjokLagM5gUknkck1AoqBGgs5/1DdBLsRwROAT//+/wA0kSiVDCJIlkUmCSRFIHSzEAAABECBJdGX4KEDVGckun',
  'base64',
)
/** A frame that holds nothing, of three bytes. */
const skipped = Buffer.from('502a4d1803000000616263', 'hex')

async function textOf(packed: Uint8Array, piece = packed.length): Promise<string> {
  async function* pieces() {
    for (let at = 0; at < packed.length; at += piece) yield packed.subarray(at, at + piece)
  }
  const found: Uint8Array[] = []
  for await (const bytes of unzstandard(pieces())) found.push(bytes)
  return Buffer.concat(found).toString()
}

test('frames are read one after the other, however they come, and those that hold nothing are passed over', async () => {
  expect(await textOf(checked)).toBe(lines)
  const several = Buffer.concat([skipped, checked, skipped, checked])
  for (const piece of [1, 2, 7, 150]) expect(await textOf(several, piece)).toBe(lines + lines)
})

test('a bit that was changed anywhere gives the same text or is refused', async () => {
  let refused = 0
  for (let bit = 0; bit < checked.length * 8; bit++) {
    const spoilt = Buffer.from(checked)
    spoilt[bit >> 3]! ^= 1 << (bit & 7)
    const found = await textOf(spoilt).catch(() => undefined)
    if (found === undefined) refused++
    else expect({ bit, found }).toEqual({ bit, found: lines })
  }
  // What is left are bits that fill a byte up.
  expect(refused).toBeGreaterThan(checked.length * 8 * 0.97)
})

test('a file that is cut anywhere is refused, and so is one that goes on with other bytes, or is another', async () => {
  for (let length = 0; length < checked.length; length++)
    await expect(textOf(checked.subarray(0, length)), String(length)).rejects.toThrow()
  await expect(textOf(Buffer.concat([checked, Buffer.from('more')]))).rejects.toThrow('other bytes follow its frames')
  await expect(textOf(Buffer.from(lines))).rejects.toThrow('it does not begin as such')
})

test('a frame of another size than it says is refused', async () => {
  // `zstd` of one byte from a file: single segment, and a size of one byte.
  const single = Buffer.from('28b52ffd200109000061', 'hex')
  expect(await textOf(single)).toBe('a')
  const other = Buffer.from(single)
  other[5] = 2
  await expect(textOf(other)).rejects.toThrow('it says that it holds 2 bytes, and has 1')
})

test('whether a file has checksums is told by its first frame that holds anything', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pipeline-zstandard-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'a.zst')
  const told = async (bytes: Uint8Array) => {
    await writeFile(path, bytes)
    return hasChecksum(path)
  }
  const bare = Buffer.from('28b52ffd200109000061', 'hex')
  for (const [bytes, expected] of [
    [checked, true],
    [bare, false],
    [Buffer.concat([skipped, skipped, checked]), true],
    [Buffer.concat([skipped, bare]), false],
    [skipped, false],
    [Buffer.from(lines), false],
    [Buffer.alloc(0), false],
  ] as const)
    expect(await told(bytes)).toBe(expected)
})
