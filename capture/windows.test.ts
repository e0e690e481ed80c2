import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseConfig } from '../core/config.ts'
import { sha256 } from '../core/hash.ts'
import { DatasetConfig } from '../datasets/config.ts'
import { openDataset } from '../datasets/dataset.ts'
import { readTable } from '../datasets/tables.ts'
import type { Tokenizer } from '../datasets/tokenizer/index.ts'
import { writeWindows } from './windows.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'windows-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A token a character: its code. */
const encodeAll = async (texts: readonly string[]) => texts.map(text => Int32Array.from(text, c => c.charCodeAt(0)))
const tokenizer: Tokenizer = {
  vocabulary: 1000,
  hash: 'characters',
  bosToken: 1,
  eosToken: null,
  padToken: null,
  encodeAll,
  encode: async text => (await encodeAll([text]))[0]!,
  decode: async ids => String.fromCharCode(...Array.from(ids)),
  token: String,
}
const lines = [
  { id: 'a', text: 'abcdefg', language: 'en' },
  { id: 'b', text: 'hi', language: 'fi' },
  { id: 'c', text: 'jklmnopqrst', language: 'en' },
]

test.each(['document', 'concatenate'])('each token of windows by %s is found in its document', async packing => {
  const path = join(folder, 'text.jsonl')
  await writeFile(path, lines.map(line => JSON.stringify(line)).join('\n'))
  const settings = { path, packing, strataFields: ['language'], heldOut: { fraction: 0 } }
  const config = parseConfig(DatasetConfig, settings, 'dataset')
  const dataset = await openDataset(config, tokenizer, { context: 5, bosToken: 1 })
  const record = await writeWindows(folder, dataset)
  const bytes = await readFile(join(folder, record.file))
  expect(record).toMatchObject({ bytes: bytes.length, sha256: sha256(bytes) })
  const table = (await readTable(join(folder, record.file))) as Record<string, (number & string)[]>
  expect(table.document).toHaveLength(record.rows)

  for (const window of dataset.windows)
    for (const [position, token] of window.tokens.entries()) {
      const row = table.document!.findLastIndex(
        (document, i) => document === window.index && table.position![i]! <= position,
      )
      expect(table.window![row]).toBe(window.id)
      expect(position).toBeLessThan(table.position![row]! + table.length![row]!)
      const { text, language } = lines.find(({ id }) => id === table.source![row])!
      expect(table['strata.language']![row]).toBe(language)
      const place = table.offset![row]! + position - table.position![row]!
      expect(token).toBe(place < 0 ? 1 : text.charCodeAt(place))
    }
})

test('equal datasets give equal bytes, and a field that a document lacks is missing', async () => {
  const windows = [0, 1].map(index => ({
    index,
    id: `w${index}`,
    tokens: Int32Array.of(5, 6),
    documents: Uint32Array.of(index, index),
    offsets: Int32Array.of(0, 1),
    split: 'train' as const,
  }))
  const documents = [
    { id: 'x', strata: {} },
    { id: 'y', strata: { file: 'f' } },
  ]
  const dataset = { name: '', documents, windows, hash: '', tokenizerHash: '', concepts: [] }
  const record = await writeWindows(folder, dataset)
  expect((await writeWindows(folder, dataset)).sha256).toBe(record.sha256)
  expect((await readTable(join(folder, record.file)))['strata.file']).toEqual([null, 'f'])
})
