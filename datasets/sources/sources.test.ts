import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, open, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { parseConfig } from '../../core/config.ts'
import { InterruptedError } from '../../core/errors.ts'
import { silent } from '../../core/progress.ts'
import { Random } from '../../core/random.ts'
import { DatasetConfig } from '../config.ts'
import type { Document } from '../document.ts'
import { writeTable } from '../tables.ts'
import { hashSource } from './files.ts'
import { type ReadOptions, readDocuments } from './index.ts'
import { linesOf } from './lines.ts'

const folders: string[] = []
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sources-'))
  folders.push(folder)
})
afterAll(() => Promise.all(folders.map(path => rm(path, { recursive: true, force: true }))))

const put = async (name: string, content: string | Uint8Array) => {
  await mkdir(dirname(join(folder, name)), { recursive: true })
  await writeFile(join(folder, name), content)
  return join(folder, name)
}
const read = async (path: string, settings: Record<string, unknown> = {}, options: ReadOptions = {}) => {
  const reading = readDocuments(parseConfig(DatasetConfig, { path, ...settings }, 'dataset'), options)
  const documents: Document[] = []
  for await (const document of reading.documents) documents.push(document)
  return { documents, skipped: reading.skipped, unchecked: reading.unchecked, seen: reading.seen }
}
const idsIn = async (path: string, settings = {}) => (await read(path, settings)).documents.map(({ id }) => id)

describe('of a folder', () => {
  test('nothing hidden is read, and endings are known in capitals too', async () => {
    await put('a.txt', 'one')
    await put('B.TXT', 'two')
    await put('c.JSONL', '{"text": "three"}')
    await put('.hidden.txt', 'no')
    await put('._a.txt', Uint8Array.of(0, 5, 0x16, 0xff))
    await put('.git/x.txt', 'no')
    expect(await idsIn(folder)).toEqual(['B', 'a', 'c-1'])
  })

  test('links to files and folders are followed, also in a circle', async () => {
    await put('texts/real.txt', 'one')
    await put('other/b.txt', 'two')
    await symlink('../other', join(folder, 'texts/sub'))
    await symlink('real.txt', join(folder, 'texts/link.txt'))
    await symlink('.', join(folder, 'texts/loop'))
    await symlink('../texts', join(folder, 'other/back'))
    expect(await idsIn(join(folder, 'texts'))).toEqual(['link', 'real', 'sub/b'])
  })

  test('what is not read is said, and a link that leads nowhere is part of it', async () => {
    await put('real.txt', 'one')
    for (const name of ['a.csv.gz', 'b.GZ', 'c.parquet.gz', 'LICENSE']) await put(name, 'x')
    await symlink('nowhere.txt', join(folder, 'broken.txt'))
    const notes: string[] = []
    await read(folder, {}, { progress: { ...silent, note: line => notes.push(line) } })
    expect(notes).toEqual([
      `Reading 1 file of ${folder}. Not read: 3 .gz, 1 .txt, 1 without ending (LICENSE, a.csv.gz, b.GZ …).`,
    ])
    await rm(join(folder, 'real.txt'))
    await expect(read(folder)).rejects.toThrow(/has no file that ends in \.txt.* Not read: 3 \.gz/)
  })

  test('the hash is of what is read alone', async () => {
    await put('a.txt', 'one')
    const before = await hashSource(folder)
    await put('.git/config.txt', 'x')
    await put('b.gz', 'x')
    await symlink('nowhere', join(folder, 'gone.txt'))
    expect(await hashSource(folder)).toBe(before)
    await put('b.txt', 'two')
    expect(await hashSource(folder)).not.toBe(before)
  })
})

describe('documents that cannot be used', () => {
  const line = (i: number) => JSON.stringify({ id: `d${i}`, text: `text ${i}`, lang: 'en' })
  const bad = [
    '{"text": ',
    '[1]',
    '{"id": "n", "text": null, "lang": "en"}',
    '{"id": "e", "text": " ", "lang": "en"}',
    '{"id": "s", "text": "a"}',
    '{"id": "t", "text": "a", "lang": null}',
    '{"id": "u", "text": "half \\ud83d", "lang": "en"}',
    '{"id": "d3", "text": "again", "lang": "en"}',
    '{"id": "v", "tokens": [-1], "lang": "en"}',
    '{"id": "w", "tokens": [99999999999], "lang": "en"}',
  ]
  const reasons = [
    { reason: 'a line that is not JSON', count: 1 },
    { reason: 'a line that is not an object', count: 1 },
    { reason: 'a wrong tokens', count: 2 },
    { reason: 'an empty text', count: 1 },
    { reason: 'an id that another has', count: 1 },
    { reason: 'bytes that are not UTF-8', count: 1 },
    { reason: 'half a character in text', count: 1 },
    { reason: 'no lang', count: 2 },
    { reason: 'no text', count: 1 },
  ]
  const lines = [...Array.from({ length: 9 }, (_, i) => line(i)), ...bad]
  const content = Buffer.concat([
    Buffer.from(`${lines.join('\n')}\n`),
    Buffer.from('{"id": "x", "text": "caf\xe9", "lang": "en"}\n', 'latin1'),
    Buffer.from(line(100)),
  ])

  test('are left out, counted by reason and named by line', async () => {
    const path = await put('mixed.jsonl', content)
    const { documents, skipped, seen } = await read(path, { strataFields: ['lang'], maxSkipped: 0.6 })
    expect(documents.map(({ id }) => id)).toEqual([...Array.from({ length: 9 }, (_, i) => `d${i}`), 'd100'])
    expect(documents[3]!.text).toBe('text 3')
    expect(skipped.counts).toEqual(reasons)
    expect(seen).toBe(21)
    expect(skipped.note()).toContain(`1 with no text (${path} line 10, 11, 12, 13, 14 …).`)
  })

  test('are an error where they are more than the share allows: the first, and how many', async () => {
    const path = await put('mixed.jsonl', content)
    const error = await read(path, { strataFields: ['lang'], maxSkipped: 0.5 }).catch(error => error)
    expect(error.message).toContain(`${path} line 10 is not JSON`)
    expect(error.message).toContain('Of 21 documents 11 cannot be used')
    expect(error).toMatchObject({ exitCode: 1, fix: expect.stringContaining('dataset.maxSkipped (0.5)') })
  })

  test('may be one in twenty where nothing else is said, and none in nineteen', async () => {
    const good = (count: number) => Array.from({ length: count }, (_, i) => line(i)).join('\n')
    expect((await read(await put('a.jsonl', `${good(19)}\n{"`))).documents).toHaveLength(19)
    await expect(read(await put('b.jsonl', `${good(18)}\n{"`))).rejects.toThrow(/b\.jsonl line 19 is not JSON/)
  })

  test('are looked for in all of the text, whose lines end in any way', async () => {
    const windows = `\ufeff${[line(0), '', line(1)].join('\r\n')}\r\n`
    const { documents, seen } = await read(await put('crlf.jsonl', windows))
    expect([documents.map(({ id }) => id), seen]).toEqual([['d0', 'd1'], 2])
  })
})

test('a pipe is refused, and not waited for', async () => {
  const path = join(folder, 'pipe.txt')
  execFileSync('mkfifo', [path])
  await expect(read(path)).rejects.toThrow(/pipe\.txt is neither a file nor a folder/)
})

test('ids beyond what a number holds are kept apart where they are whole, and refused where they are not', async () => {
  const path = join(folder, 'large.parquet')
  const ids = [2n ** 60n, 2n ** 60n + 1n, 7n]
  const text = { type: 'string', values: ['one', 'two', 'three'] } as const
  await writeTable(path, { text, id: { type: 'int64', values: ids } })
  expect(await idsIn(path)).toEqual(ids.map(String))
  const lines = ids.map(id => `{"text": "a", "id": ${id}}`).join('\n')
  const { documents, skipped } = await read(await put('large.jsonl', lines), { maxSkipped: 0.9 })
  expect(documents.map(({ id }) => id)).toEqual(['7'])
  expect(skipped.counts).toEqual([{ reason: 'a number that is too large for id', count: 2 }])
})

test('UTF-16 is refused as that, also without a byte order mark, and NUL in a text is not', async () => {
  const wide = await put('wide.txt', Buffer.from('Words of Latin letters.', 'utf16le'))
  await expect(read(wide)).rejects.toThrow(/wide\.txt is UTF-16, not UTF-8/)
  const big = await put('big.txt', Buffer.from('Words of Latin letters.', 'utf16le').swap16())
  await expect(read(big)).rejects.toThrow(/big\.txt is UTF-16, not UTF-8/)
  const text = 'some words\0and others\0\0\0'
  expect((await read(await put('nul.txt', text))).documents[0]!.text).toBe(text)
})

test('lines of any length are whole', async () => {
  const texts = [1, 3_000_000, 2, 1_048_576, 5].map((length, i) => String.fromCharCode(97 + i).repeat(length))
  const path = await put('long.jsonl', texts.map(text => JSON.stringify({ text })).join('\n'))
  expect((await read(path)).documents.map(({ text }) => text)).toEqual(texts)
})

test('a line that is longer than is held is passed over, whichever it is', async () => {
  const path = await put('lines.txt', `${'a'.repeat(50)}\nb\n${'c'.repeat(3_000_000)}\nd\n${'e'.repeat(60)}`)
  const found: (string | undefined)[] = []
  for await (const bytes of linesOf(path, 55)) found.push(bytes && Buffer.from(bytes).toString())
  expect(found).toEqual(['a'.repeat(50), 'b', undefined, 'd', undefined])
})

test('texts between marks and blank lines are those that splitting the whole gives, wherever a piece of the file ends', async () => {
  const random = new Random('pieces')
  // Pieces of the file have 2 ** 20 bytes: filler moves what splits across their border.
  for (const [name, mark, parts] of [
    ['marks', '<|end|>', ['<|end|>', '<|en', 'd|>', '<<|end|>', 'text', ' é ', '\n']],
    ['blank', 'blank-line', ['\n', '\r\n', ' \t', '\r', 'text', '\u00a0', 'é']],
  ] as const)
    for (const filler of [0, 1, 2, 3, 5, 7]) {
      const text =
        'x'.repeat((1 << 20) - 20 - filler) + Array.from({ length: 60 }, () => parts[random.int(parts.length)]).join('')
      const path = await put(`${name}-${filler}.txt`, `\ufeff${text}`)
      const whole = text.split(mark === 'blank-line' ? /\r?\n(?:[ \t]*\r?\n)+/ : mark)
      const expected = whole.map(piece => piece.trim()).filter(piece => piece !== '')
      const found = (await read(path, { separator: mark })).documents
      expect(found.map(({ text }) => text)).toEqual(expected)
      expect(found.map(({ id }) => id)).toEqual(expected.map((_, i) => `${name}-${filler}-${i}`))
    }
})

describe('packed files', () => {
  /** Forty lines, by zstandard at level 19. */
  const zstandard = Buffer.from(
    'KLUv/WBmBx0EALIFFBeQuwGr6TsF4t829P+ylzYlJYE0jS2MC0CUbKn35tXEbKn35tW0bKn35lVlS703rwJRJlTcgDQPA+I1fEcrGi6EkjjokLagM5hEIZnHMQkFKKgRoLOf9Q3QS7EcETgE///v8AOSJBKRRkkSqZKiJIlUK8tZSCKSzAgSYhm+ChA1',
    'base64',
  )
  const lines = Array.from({ length: 40 }, (_, i) => `the same words again and again, number ${i}`)
  const jsonl = lines.map(text => `${JSON.stringify({ text })}\n`).join('')

  test('are read as what they hold, and their documents are called alike', async () => {
    const plain = (await read(await put('a.jsonl', jsonl))).documents
    for (const [name, bytes] of [
      ['a.jsonl.gz', gzipSync(jsonl)],
      ['a.JSONL.GZ', Buffer.concat([gzipSync(jsonl.slice(0, 500)), gzipSync(jsonl.slice(500))])],
    ] as const)
      expect((await read(await put(name, bytes))).documents, name).toEqual(plain)
    const found = (await read(await put('a.jsonl.zst', zstandard))).documents
    expect(found.map(({ text }) => text)).toEqual(lines)
    const notes: string[] = []
    const noted = { progress: { ...silent, note: (line: string) => notes.push(line) } }
    const { unchecked } = await read(await put('b.jsonl.zst', zstandard), {}, noted)
    expect(unchecked).toEqual(['b.jsonl.zst'])
    expect(notes).toEqual([expect.stringContaining('b.jsonl.zst was packed without checksums')])
    expect((await read(await put('b.txt.gz', gzipSync('one text')))).documents).toEqual([
      { id: 'b', text: 'one text', strata: {} },
    ])
  })

  test('that are cut off or damaged are refused, and give no documents', async () => {
    const gzip = gzipSync(jsonl)
    const spoilt = Buffer.from(gzip)
    spoilt[gzip.length - 6]! ^= 1
    for (const [name, bytes] of [
      ['cut.jsonl.gz', gzip.subarray(0, gzip.length - 20)],
      ['spoilt.jsonl.gz', spoilt],
      ['none.jsonl.gz', Buffer.from(jsonl)],
      ['cut.jsonl.zst', zstandard.subarray(0, zstandard.length - 20)],
      ['none.jsonl.zst', Buffer.from(jsonl)],
    ] as const)
      await expect(read(await put(name, bytes)), name).rejects.toThrow(/cannot be unpacked as (gzip|zstandard)/)
  })

  test('that need a dictionary are refused, and not read as the bytes that come out without it', async () => {
    const bytes = Buffer.from('28b52ffd271f8586372e5d00002037227d0a010077280001b16d405f', 'hex')
    await expect(read(await put('a.jsonl.zst', bytes))).rejects.toMatchObject({
      message: expect.stringContaining('it was packed with a dictionary, which is not in it'),
      fix: 'Pack it again without one.',
    })
  })

  test('that look back over more than is held are refused, with what to do', async () => {
    // `zstd --long=31` of an empty standard input.
    const bytes = Buffer.from('28b52ffd04a8010000', 'hex')
    await expect(read(await put('long.jsonl.zst', bytes))).rejects.toMatchObject({
      message: expect.stringContaining('it looks back over 2,147,483,648 bytes, and at most 1,073,741,824 are held'),
      fix: 'Pack it again with --long=27, or without --long.',
    })
  })

  test('larger than memory is wont to hold are read piece by piece', async () => {
    const line = `${JSON.stringify({ text: 'x'.repeat(5000) })}\n`
    const path = await put('long.jsonl.gz', gzipSync(line.repeat(4000)))
    expect((await read(path, { documents: 3 })).documents).toHaveLength(3)
    expect((await read(path)).documents).toHaveLength(4000)
  })
})

describe('Parquet files', () => {
  const made = async (name: string) => {
    const path = join(folder, name)
    await writeTable(
      path,
      {
        text: { type: 'string', values: ['one', 'two', null, 'four', 'five'] },
        lang: { type: 'string', values: ['a', 'a', 'b', 'b', 'b'] },
        tokens: { type: 'list<int32>', values: [null, [3, 4], null, null, null] },
        other: { type: 'float64', values: [1, 2, 3, 4, 5] },
      },
      { rowGroupRows: 2 },
    )
    return path
  }

  test('give a document a row, row group by row group, as lines of the same fields would', async () => {
    const found = await read(await made('a.parquet'), { strataFields: ['lang'], maxSkipped: 0.2 })
    expect(found.documents).toEqual([
      { id: 'a-1', text: 'one', strata: { lang: 'a' } },
      { id: 'a-2', text: 'two', tokens: Int32Array.of(3, 4), strata: { lang: 'a' } },
      { id: 'a-4', text: 'four', strata: { lang: 'b' } },
      { id: 'a-5', text: 'five', strata: { lang: 'b' } },
    ])
    expect(found.seen).toBe(5)
    expect((await read(join(folder, 'a.parquet'), { documents: 1 })).documents).toHaveLength(1)
    expect((await read(join(folder, 'a.parquet'), { idField: 'other', maxSkipped: 0.2 })).documents[0]!.id).toBe('1')
  })

  test('without the columns that the settings name, or damaged, are refused', async () => {
    const path = await made('a.parquet')
    await expect(read(path, { strataFields: ['language'] })).rejects.toThrow('has no column language')
    await expect(read(path, { textField: 'txt' })).rejects.toThrow(/no txt/)
    const other = join(folder, 'other.parquet')
    await writeTable(other, { content: { type: 'string', values: ['one'] } })
    await expect(read(other)).rejects.toMatchObject({
      message: `${other} has no column text.`,
      fix: expect.stringContaining('Its columns are content; name one with dataset.textField'),
    })
    const bytes = await readFile(path)
    await expect(read(await put('cut.parquet', bytes.subarray(0, -10)))).rejects.toThrow('its marks are missing')
    const spoilt = Buffer.from(bytes)
    spoilt.fill(0xff, bytes.length - 60, bytes.length - 20)
    await expect(read(await put('spoilt.parquet', spoilt))).rejects.toThrow('is not a whole Parquet file')
    const sealed = Buffer.from(bytes)
    for (const at of [0, bytes.length - 4]) sealed.write('PARE', at)
    await expect(read(await put('sealed.parquet', sealed))).rejects.toThrow('sealed.parquet is encrypted')
    // Another file is read after that.
    expect((await read(path, { maxSkipped: 0.2 })).documents).toHaveLength(4)
  })
})

test('reading ends once the signal is aborted', async () => {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 20)
  const endless = read('toyworld', { documents: 1_000_000 }, { signal: controller.signal })
  await expect(endless).rejects.toThrow(InterruptedError)
})

test.skipIf(!process.env.PIPELINE_LONG)(
  'a built-in dataset may have 200,000 documents',
  async () => {
    expect((await read('toyworld', { documents: 200_000 })).documents).toHaveLength(200_000)
  },
  600_000,
)

test.skipIf(!process.env.PIPELINE_LONG)(
  'a text that is too long to be held is called so, not broken',
  async () => {
    const path = join(folder, 'huge.txt')
    for (const bytes of [600_000_000, 3_000_000_000]) {
      const file = await open(path, 'w')
      await file.truncate(bytes)
      await file.close()
      await expect(read(path)).rejects.toThrow(
        /huge\.txt has a document that is too long: at most 536,870,888 characters/,
      )
    }
    await rm(path)
  },
  600_000,
)
