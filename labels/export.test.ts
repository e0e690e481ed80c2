import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { featureOf, testedAs } from './evidence.fixture.ts'
import { exportLabels } from './export.ts'
import type { Feature } from './feature.ts'
import { readFeatures, writeJsonLines } from './files.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'export-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const tokens = ['a,b', 'q"q', ' line\n', '\u202eturned', '=1+1', 'f', 'g', 'h']
const features: Feature[] = [
  featureOf(0, { rule: { kind: 'token', tokens, tokenIds: [1, 2, 3, 4, 5, 6, 7, 8], concept: null } }),
  featureOf(1, {
    ...{ label: '=HYPERLINK("x")', labelKind: 'concept' },
    rule: { kind: 'concept', tokens: [], tokenIds: [], concept: '=HYPERLINK("x")' },
    evidence: testedAs({ verdict: 'pass', effect: -0.5, concept: '@SUM(1)\u0007', intervention: 'steer', dose: -1 }),
  }),
  featureOf(2, { label: null, labelKind: 'none', promoted: tokens.map(token => ({ token, effect: -2 })) }),
]

async function exported(format: 'jsonl' | 'json' | 'csv', selection = {}) {
  await writeJsonLines(join(folder, 'features.jsonl'), features)
  return exportLabels(folder, format, selection)
}

/** Cells of RFC 4180 text. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]]
  for (const [, quoted, bare, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n)/g)) {
    rows[rows.length - 1]!.push(quoted?.replaceAll('""', '"') ?? bare ?? '')
    if (end === '\r\n') rows.push([])
  }
  return rows.filter(row => row.length > 0)
}

const cells = async () => {
  const [header, ...rows] = parseCsv((await exported('csv')).text)
  return rows.map(row => Object.fromEntries(header!.map((name, i) => [name, row[i]!])))
}

test('CSV holds lists that parse back to every token, and nothing where there is nothing', async () => {
  const rows = await cells()
  expect(JSON.parse(rows[0]!.rule_tokens!)).toEqual(tokens)
  expect(JSON.parse(rows[0]!.rule_token_ids!)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(JSON.parse(rows[2]!.promoted_tokens!)).toEqual(tokens)
  expect(JSON.parse(rows[2]!.promoted_effects!)).toEqual(tokens.map(() => -2))
  expect(rows[0]).toMatchObject({ q: '', effect: '', intervention: '', verdict: 'not-run', rule_concept: '' })
  expect(rows[2]).toMatchObject({ label: '', label_kind: 'none' })
  expect(rows[1]).toMatchObject({
    intervention: 'steer',
    dose: '-1',
    documents: '12',
    sae_hash: 'sae-hash',
    effect: '-0.5',
  })
})

test('CSV starts no formula, and holds no character that steers what shows it', async () => {
  const { text } = await exported('csv')
  for (const row of parseCsv(text).slice(1)) for (const cell of row) expect(cell).not.toMatch(/^(?:[=+@\t\r]|-[^\d.])/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the claim.
  expect(text).not.toMatch(/[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
  const rows = await cells()
  expect(rows[1]).toMatchObject({ label: '\'=HYPERLINK("x")', concept: "'@SUM(1)\\u0007" })
})

test.each([
  [
    'jsonl',
    (text: string) =>
      text
        .split('\n')
        .filter(Boolean)
        .map(line => JSON.parse(line)),
  ],
  ['json', (text: string) => JSON.parse(text).features],
] as const)('%s gives every record as it is', async (format, parse) => {
  const { text, features: count } = await exported(format)
  const found = parse(text).map(({ schema: _, ...record }: Feature & { schema?: number }) => record)
  expect(count).toBe(3)
  expect(found).toEqual(expect.arrayContaining(await readFeatures(folder)))
})

test('selects by verdict and by label', async () => {
  expect((await exported('jsonl', { verdicts: ['pass'] })).features).toBe(1)
  expect((await exported('jsonl', { verdicts: ['not-run'] })).features).toBe(2)
  expect((await exported('jsonl', { labelledOnly: true })).features).toBe(2)
})
