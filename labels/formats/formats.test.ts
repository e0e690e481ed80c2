import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AnswerRow } from '../answers.ts'
import { featureOf, testedAs } from '../evidence.fixture.ts'
import { fileOf, writeFolder } from '../export.ts'
import type { Feature } from '../feature.ts'
import { provenBelonging } from './belonging.ts'
import { parseCsv } from './csv.ts'
import type { ExportFile, ImportedLabels, LabelFormat, LabelSource } from './format.ts'
import { describeLabelFormat } from './formats.contract.ts'
import { labelFormats } from './index.ts'

const tokens = ['a,b', 'q"q', ' line\n', '\u202eturned', '=1+1', 'f', 'g', 'h']
const detection = {
  ...{ value: 0.75, low: 0.6, high: 0.9, positives: 10, hits: 8, negatives: 10, rejections: 7 },
  ...{ hardNegatives: 5, hardRejections: 3, unanswered: 1 },
}
const explanation = (text: string | null, hits = 8): NonNullable<Feature['explanation']> => ({
  ...{ text, model: 'a-model', scorer: 'a-model', detection: { ...detection, hits }, fuzzing: null, simulation: null },
  ...{ coverage: 0.5, agreement: [] },
})
const features: Feature[] = [
  featureOf(0, {
    rule: { kind: 'token', tokens, tokenIds: [1, 2, 3, 4, 5, 6, 7, 8], concept: null },
    label: 'one, "two"',
    explanation: explanation('one, "two"', 10),
  }),
  featureOf(1, {
    ...{ label: '=HYPERLINK("x")', labelKind: 'concept', explanation: explanation('=HYPERLINK("x")') },
    rule: { kind: 'concept', tokens: [], tokenIds: [], concept: '=HYPERLINK("x")' },
    evidence: testedAs({ verdict: 'pass', effect: -0.5, concept: '@SUM(1)\u0007', intervention: 'steer', dose: -1 }),
  }),
  featureOf(2, { label: null, labelKind: 'none', promoted: tokens.map(token => ({ token, effect: -2 })) }),
  featureOf(3, { nearest: [{ latent: 0, cosine: 0.5 }] }),
]
const answer = (latent: number, truth: boolean, said: boolean | null): AnswerRow => ({
  ...{ latent, score: 'detection', judge: 'a-model', group: truth ? 'band-2' : 'silent', band: truth ? 2 : 0 },
  ...{ window: 'w', position: 1, start: 0, tokens: ['x', ' y'], activations: [0, truth ? 1 : 0], truth, answer: said },
  simulated: null,
})
const example = { window: 'w7', position: 5, start: 4, tokens: ['a', ' b'], activations: [0, 2] }
const source: LabelSource = {
  features,
  about: {
    ...{ run: 'run42-label', seed: 3, model: 'gpt2', layers: 12, neurons: 3072, site: 'blocks.6.hook_resid_post' },
    ...{ layer: 6, latents: 4, set: 'res-set', dataset: 'tales', tokens: 1000, context: 128, creator: 'someone' },
    ...{ finished: 1_700_000_000_000, saeConfig: { d_sae: 4 } },
  },
  async *examples() {
    yield [
      0,
      [
        { ...example, group: 'top', rank: 0, activation: 2, low: null, high: null, share: null },
        { ...example, group: 'band-1', rank: 0, activation: 2, low: 0.5, high: 2, share: 0.25 },
        { ...example, group: 'silent', rank: 0, activation: 0, low: null, high: null, share: null },
      ],
    ]
    yield [3, [{ ...example, group: 'top', rank: 0, activation: 2, low: null, high: null, share: null }]]
  },
  vector: latent => Float32Array.of(latent, -3, 1),
  answers: async () => ({ rows: [answer(0, true, true), answer(0, false, null)], scorer: 'a-model' }),
}

for (const format of Object.values(labelFormats)) describeLabelFormat(format, source)

async function filesOf(format: LabelFormat): Promise<Record<string, string>> {
  const files: ExportFile[] = []
  for await (const file of format.write(source)) files.push(file)
  const textOf = ({ path, data }: ExportFile) =>
    (path.endsWith('.gz') ? gunzipSync(data) : Buffer.from(data)).toString()
  return Object.fromEntries(files.map(file => [file.path, textOf(file)]))
}
const lines = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))

test('CSV holds lists that parse back to every token, and starts no formula', async () => {
  const text = String(await fileOf(labelFormats.csv, source))
  const [header, ...cells] = parseCsv(text, 'it')
  const rows = cells.map(row => Object.fromEntries(header!.map((name, i) => [name, row[i]!])))
  expect(JSON.parse(rows[0]!.rule_tokens!)).toEqual(tokens)
  expect(JSON.parse(rows[2]!.promoted_effects!)).toEqual(tokens.map(() => -2))
  expect(rows[0]).toMatchObject({ q: '', effect: '', verdict: 'not-run', label_score: '0.85', label_coverage: '0.9' })
  expect(rows[1]).toMatchObject({ dose: '-1', effect: '-0.5', label: '\'=HYPERLINK("x")', concept: "'@SUM(1)\\u0007" })
  for (const row of cells) for (const cell of row) expect(cell).not.toMatch(/^(?:[=+@\t\r]|-[^\d.])/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the claim.
  expect(text).not.toMatch(/[\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
})

test('CSV of others is read by its columns, and refused by row where it breaks', () => {
  expect(parseCsv('a,b\n1,"x""y\n,z"\r\n,', 'it')).toEqual([
    ['a', 'b'],
    ['1', 'x"y\n,z'],
    ['', ''],
  ])
  expect(() => parseCsv('a\n"x"y', 'it.csv')).toThrow('it.csv, row 2, has text after a quoted cell.')
  expect(() => parseCsv('a\n"x', 'it.csv')).toThrow('it.csv ends within a quoted cell, in row 2.')
})

test('Neuronpedia gets the columns of its tables, its mark for the strongest examples, and true quantiles for bands', async () => {
  const files = await filesOf(labelFormats.neuronpedia)
  const base = 'gpt2/6-res-set'
  expect(Object.keys(files)).toEqual(
    ['release.jsonl', 'model.jsonl', 'sourceset.jsonl', 'source.jsonl']
      .concat(['features', 'activations', 'explanations'].map(kind => `${kind}/batch-0.jsonl.gz`))
      .concat('causal.jsonl')
      .map(name => `${base}/${name}`),
  )
  const [first] = lines(files[`${base}/features/batch-0.jsonl.gz`]!)
  expect(first).toMatchObject({
    ...{ modelId: 'gpt2', layer: '6-res-set', index: '0', maxActApprox: 4, frac_nonzero: 0.02, hasVector: true },
    ...{ freq_hist_data_bar_heights: [3, 1], freq_hist_data_bar_values: [1, 3], vector: [0, -3, 1] },
    ...{
      neuron_alignment_indices: [1, 2, 0],
      neuron_alignment_values: [-3, 1, 0],
      neuron_alignment_l1: [0.75, 0.25, 0],
    },
  })
  const activations = lines(files[`${base}/activations/batch-0.jsonl.gz`]!)
  expect(activations).toHaveLength(3)
  expect(activations[0]).toMatchObject({ binMin: -1, binContains: -1, maxValue: 2, maxValueTokenIndex: 1 })
  expect(activations[1]).toMatchObject({ binMin: 0.5, binMax: 2, binContains: 0.25, values: [0, 2] })
  expect(new Set(activations.map(({ id }) => id)).size).toBe(3)
  const told = lines(files[`${base}/explanations/batch-0.jsonl.gz`]!)
  expect(told.map(({ index, description }) => [index, description])).toEqual([
    ['0', 'one, "two"'],
    ['1', '=HYPERLINK("x")'],
    ['3', '“w3”'],
  ])
})

test('the causal part stands beside, with verdict, effect, interval, controls, documents, intervention, concept and hash', async () => {
  const files = await filesOf(labelFormats.delphi)
  const found = lines(files['causal.jsonl']!)[1]
  expect(found).toMatchObject({
    ...{ schema: 1, latent: 1, labelScore: 0.85, labelCoverage: 0.9 },
    evidence: {
      verdict: 'pass',
      effect: -0.5,
      effectLow: 0,
      documents: 12,
      intervention: 'steer',
      concept: '@SUM(1)\u0007',
    },
    hashes: { sae: 'sae-hash' },
  })
  expect(found.evidence.rule.controls).toEqual({ foreign: 19 })
})

test('delphi gets a text a latent and its examples by scorer; what was not answered is null', async () => {
  const files = await filesOf(labelFormats.delphi)
  expect(JSON.parse(files['explanations/layers.6_latent1.txt']!)).toBe('=HYPERLINK("x")')
  expect(JSON.parse(files['scores/detection/layers.6_latent0.txt']!)).toEqual([
    {
      ...{ str_tokens: ['x', ' y'], activations: [0, 1], distance: 2, activating: true, prediction: true },
      ...{ probability: null, correct: true },
    },
    {
      ...{ str_tokens: ['x', ' y'], activations: [0, 0], distance: -1, activating: false, prediction: null },
      ...{ probability: null, correct: null },
    },
  ])
})

test('SAEBench gets the mean accuracy over scored latents, and nothing where none was scored', async () => {
  const files = await filesOf(labelFormats.saebench)
  const result = JSON.parse(files['run42-label_custom_sae_eval_results.json']!)
  // (10 + 7) / 20 and (8 + 7) / 20: mean 0.8, deviation 0.1 / √2.
  expect(result.eval_result_metrics.autointerp.autointerp_score).toBeCloseTo(0.8, 12)
  expect(result.eval_result_metrics.autointerp.autointerp_std_dev).toBeCloseTo(0.1 / Math.SQRT2, 12)
  const bare = { ...source, features: features.map(feature => ({ ...feature, explanation: null })) }
  await expect(labelFormats.saebench.write(bare).next()).rejects.toThrow('run42-label has 0 of them')
})

describe('whose labels they are', () => {
  const sae = { hash: 'any', latents: 4, row: source.vector! }
  const vectors = new Map([[1, [2, -6, 2]]])
  const one = { latent: 1, label: 'one', concept: null, sae: null }
  const read = { labels: [one], saeHashes: new Set<string>(), vectors }
  const of = (changes: Partial<ImportedLabels>) => provenBelonging({ ...read, ...changes }, sae, 'it')

  test('is proven by decoder rows, and refused where a row points elsewhere', () => {
    expect(of({})).toEqual({ proof: 'decoder', unproven: 0 })
    expect(of({ vectors: new Map() })).toEqual({ proof: 'none', unproven: 1 })
    expect(() => of({ vectors: new Map([[1, [1, 3, 1]]]) })).toThrow('the cosine -0.636')
    expect(() => of({ vectors: new Map([[1, [1]]]) })).toThrow('1 values, not 3')
    // The sums of their products are beyond all numbers: no cosine, and so no proof.
    expect(() => of({ vectors: new Map([[1, [1e308, -1e308, 1e308]]]) })).toThrow('is about another SAE')
  })

  test('is proven for each: a hash or row of one latent says nothing of another', () => {
    const other = { ...one, latent: 2 }
    expect(of({ labels: [one, other] })).toEqual({ proof: 'none', unproven: 1 })
    expect(of({ labels: [one, { ...other, sae: 'any' }] })).toEqual({ proof: 'decoder', unproven: 0 })
    const dead = { ...sae, row: () => Float32Array.of(0, 0, 0) }
    expect(provenBelonging({ ...read, vectors: new Map([[1, [0, 0, 0]]]) }, dead, 'it').proof).toBe('none')
  })
})

describe('labels of others', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'labels-of-others-'))
  })
  afterAll(() => rm(folder, { recursive: true }))
  const file = async (name: string, data: string | Uint8Array) => {
    await writeFile(join(folder, name), data)
    return join(folder, name)
  }
  const explanations = async (...rows: object[]) =>
    file('explanations.jsonl', rows.map(row => `${JSON.stringify({ description: 'a', ...row })}\n`).join(''))

  test('a label that was changed keeps its SAE, and not the concept of what it was before', async () => {
    const place = join(folder, 'delphi')
    await writeFolder(labelFormats.delphi, source, place)
    await writeFile(join(place, 'explanations/layers.6_latent1.txt'), '"about apples"')
    const { labels } = await labelFormats.delphi.read(place)
    expect(labels[1]).toEqual({ latent: 1, label: 'about apples', concept: null, sae: 'sae-hash' })
  })

  test('of Neuronpedia are of one SAE, of latents that can be, and say something', async () => {
    const { read } = labelFormats.neuronpedia
    const { labels } = await read(await explanations({ index: '07' }, { index: 3 }))
    expect(labels.map(({ latent }) => latent)).toEqual([7, 3])
    await expect(read(await explanations({ index: -1 }))).rejects.toThrow('wrong at index: Too small')
    await expect(read(await explanations({ index: 1, description: ' \n' }))).rejects.toThrow('description: it is empty')
    const layer = (layer: string) => ({ index: 1, modelId: 'gpt2', layer })
    const two = await explanations(layer('6-a'), layer('7-a'))
    await expect(read(two)).rejects.toThrow('several SAEs: gpt2/6-a, gpt2/7-a.')
  })

  test('bytes that are no UTF-8 are refused, and not read as other characters', async () => {
    const latin = Buffer.from('latent,label\n1,B\xe4r\n', 'latin1')
    await expect(labelFormats.csv.read(await file('latin.csv', latin))).rejects.toThrow('latin.csv is not UTF-8.')
    const line = Buffer.from('{"index":1,"description":"B\xe4r"}', 'latin1')
    await expect(labelFormats.neuronpedia.read(await file('latin.jsonl', line))).rejects.toThrow('is not UTF-8.')
  })

  test('a table with two columns of one name is refused; empty lines at its end are none', async () => {
    const { read } = labelFormats.csv
    await expect(read(await file('two.csv', 'latent,label,label\n1,x,y\n'))).rejects.toThrow('two columns "label"')
    const { labels } = await read(await file('end.csv', 'latent,label\n1,x\n2,  \n\n\n'))
    expect(labels).toEqual([{ latent: 1, label: 'x', concept: null, sae: null }])
  })

  test('CSV gives back what begins as a formula does, in wide letters and behind an apostrophe, too', async () => {
    const written: Record<string, string> = {
      ...{ '=a': "'=a", "'=a": "''=a", "''=a": "'''=a", "'a": "'a", '＝a': "'＝a", '-1': "'-1", '@a': "'@a", "'": "'" },
    }
    const texts = Object.keys(written)
    const made = { ...source, features: texts.map((label, latent) => featureOf(latent, { label })) }
    const text = String(await fileOf(labelFormats.csv, made))
    const cells = parseCsv(text, 'it').slice(1)
    expect(cells.map(row => row[1])).toEqual(Object.values(written))
    const { labels } = await labelFormats.csv.read(await file('formulas.csv', text))
    expect(labels.map(({ label }) => label)).toEqual(texts)
  })
})

test('the forms are told in docs/labels.md, each by name', async () => {
  const text = await readFile(new URL('../../docs/labels.md', import.meta.url), 'utf8')
  for (const name of Object.keys(labelFormats)) expect(text).toContain(`\`${name}\``)
})
