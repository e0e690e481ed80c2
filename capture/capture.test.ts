import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseConfig } from '../core/config.ts'
import { silent } from '../core/progress.ts'
import { Random } from '../core/random.ts'
import { ReadSequence, type Sequence } from '../core/sequence.ts'
import { memoryMetrics, type StageContext } from '../core/stage.ts'
import type { Document, Split, TokenDataset, TokenWindow } from '../datasets/document.ts'
import { openCapture } from '../datasets/shards/index.ts'
import { readTable } from '../datasets/tables.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import { judgeCapture } from './audit/gates.ts'
import { auditLines } from './audit/told.ts'
import { type CaptureInputs, capture } from './capture.ts'
import { CaptureConfig } from './config.ts'
import { repairCapture } from './repair.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'capture-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const width = 3
const vocabulary = 50

/**
 * A model whose sites are known in closed form: the embedding of token t is (t, t/2, 1), and the block's output at a
 * position is the sum of embeddings up to it, so that padding on the left or a mixed-up row would show.
 */
function fakeModel({ poison }: { poison?: number } = {}) {
  let passes = 0
  const model: Model = {
    config: {
      family: 'fake',
      layers: 1,
      width,
      heads: 1,
      kvHeads: 1,
      headDim: width,
      mlpWidth: 4,
      vocabulary,
      context: 64,
      bosToken: 0,
      eosToken: null,
    },
    sites: [
      { name: 'hook_embed', axes: ['batch', 'position', 'width'], size: [width] },
      { name: 'blocks.0.attn.hook_z', axes: ['batch', 'position', 'head', 'headDim'], size: [2, 2] },
      { name: 'blocks.0.attn.hook_pattern', axes: ['batch', 'head', 'query', 'key'], size: [] },
      { name: 'blocks.0.hook_resid_post', axes: ['batch', 'position', 'width'], size: [width] },
    ],
    hash: 'fake',
    path: 'fake',
    weights: {},
    run(tokens: Tensor2D, { hooks = {}, until } = {}) {
      passes++
      const at = (name: string, value: Tensor) => hooks[name]?.(value, name) ?? value
      const t = tokens.cast('float32')
      const bad = poison === undefined ? t : tf.where(t.equal(poison), tf.fill(t.shape, Number.NaN), t)
      const embed = at('hook_embed', tf.stack([bad, t.div(2), tf.onesLike(t)], 2))
      if (until === 'hook_embed') return embed
      at('blocks.0.attn.hook_z', tf.stack([tf.stack([t, t], 2), tf.stack([t, tf.zerosLike(t)], 2)], 2))
      if (until === 'blocks.0.attn.hook_z') throw new Error('the fake does not stop here')
      return at('blocks.0.hook_resid_post', tf.cumsum(embed, 1))
    },
    unembedding: () => tf.zeros([width, vocabulary]),
    logitColumns: () => null,
    editedFrom: () => null,
    dispose() {},
  }
  return { model, passes: () => passes }
}

/** What the fake gives at a position of a window. */
const embedOf = (token: number) => [token, token / 2, 1]
const residOf = (window: TokenWindow, position: number) =>
  Array.from(window.tokens.subarray(0, position + 1), embedOf).reduce((sum, row) => sum.map((v, i) => v + row[i]!))

/** Documents in two languages, `fi` a tenth as often, each one window of 2 to 20 tokens; every fifth is held out. */
function fakeDataset(count: number): TokenDataset {
  const random = new Random(7)
  const documents: Document[] = []
  const windows: TokenWindow[] = []
  for (let index = 0; index < count; index++) {
    const language = index % 10 === 3 ? 'fi' : 'en'
    const length = 2 + random.int(19)
    const tokens = Int32Array.from({ length }, (_, i) => (i === 0 ? 0 : 1 + random.int(vocabulary - 1)))
    const split: Split = index % 5 === 0 ? 'validation' : 'train'
    documents.push({ id: `d${index}`, strata: { language } })
    const offsets = tokens.map((_, i) => i - 1)
    windows.push({ id: `d${index}`, index, tokens, documents: new Uint32Array(length).fill(index), offsets, split })
  }
  return { name: 'fake', documents, windows, hash: `fake${count}`, tokenizerHash: 'fake', concepts: [] }
}

const dataset = fakeDataset(300)
const train = dataset.windows.filter(({ split }) => split === 'train')
const population = train.reduce((sum, { tokens }) => sum + tokens.length - 1, 0)
const resid = 'blocks.0.hook_resid_post'

let directories = 0
const contextOf = (directory: string, rest: Partial<StageContext> = {}): StageContext => ({
  directory,
  seed: 1,
  progress: silent,
  signal: new AbortController().signal,
  metrics: memoryMetrics(),
  ...rest,
})
/** Captures with these settings into a new directory. */
async function run(settings: Record<string, unknown> = {}, inputs: Partial<CaptureInputs> = {}, seed = 1) {
  const directory = join(folder, String(directories++))
  const config = parseConfig(CaptureConfig, { sites: [resid], shardRows: 500, batchTokens: 64, ...settings }, 'capture')
  const summary = await capture(contextOf(directory, { seed }), {
    model: fakeModel().model,
    dataset,
    config,
    ...inputs,
  })
  return { directory, summary, config }
}
async function filesOf(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory)).sort()
  return Object.fromEntries(
    await Promise.all(names.map(async name => [name, (await readFile(join(directory, name))).toString('base64')])),
  )
}
/** Every row as `document position`, with its activations. */
async function rowsOf(directory: string, site = resid) {
  const opened = await openCapture(directory)
  const columns = await opened.columns()
  const { width } = opened.sites.find(({ name }) => name === site)!
  const values = await opened.readRange(site, 0, opened.rows)
  opened.close()
  return Array.from({ length: opened.rows }, (_, row) => ({
    window: dataset.windows.at(columns.document[row]!)!,
    key: `${columns.document[row]} ${columns.position[row]}`,
    position: columns.position[row]!,
    token: columns.token[row]!,
    stratum: columns.stratum[row]!,
    weight: columns.weight[row]!,
    values: Array.from(values.subarray(row * width, (row + 1) * width)),
  }))
}
const manifestOf = async (directory: string) => (await openCapture(directory)).manifest

/** Aborts when so many tokens have been through the model. */
function abortAfter(tokens: number) {
  const controller = new AbortController()
  const update = (done: number) => {
    if (done >= tokens) controller.abort()
  }
  return { signal: controller.signal, progress: { ...silent, update } }
}

describe('a capture of everything', () => {
  test('holds every token of the training windows but position 0, with the values the model has there', async () => {
    const { directory, summary } = await run()
    const rows = await rowsOf(directory)
    expect(summary).toMatchObject({ rows: population, population, strata: 1, sites: 1 })
    expect(summary.shards).toBeGreaterThan(3)
    const expected = train.flatMap(({ index, tokens }) => [...tokens.keys()].slice(1).map(i => `${index} ${i}`))
    expect(rows.map(({ key }) => key)).toEqual(expected)
    for (const { window, position, token, weight, values } of rows) {
      expect(values).toEqual(residOf(window, position))
      expect(token).toBe(window.tokens[position])
      expect(weight).toBe(1)
    }
  })

  test('takes several sites from one pass, heads side by side, and stops at the last', async () => {
    const fake = fakeModel()
    const one = fakeModel()
    await run({ sites: ['hook_embed'] }, { model: one.model })
    const sites = [resid, 'hook_embed', 'blocks.0.attn.hook_z']
    const { directory } = await run({ sites }, { model: fake.model })
    expect(fake.passes()).toBe(one.passes())
    expect((await manifestOf(directory)).sites.map(({ name, width }) => [name, width])).toEqual([
      [resid, 3],
      ['hook_embed', 3],
      ['blocks.0.attn.hook_z', 4],
    ])
    for (const { token, values } of await rowsOf(directory, 'hook_embed')) expect(values).toEqual(embedOf(token))
    for (const { token, values } of await rowsOf(directory, 'blocks.0.attn.hook_z'))
      expect(values).toEqual([token, token, token, 0])
  })

  test('leaves out other positions when asked, or none', async () => {
    const positions = async (excludePositions: number[]) =>
      new Set((await rowsOf((await run({ excludePositions })).directory)).map(({ position }) => position))
    expect((await positions([])).has(0)).toBe(true)
    const few = await positions([0, 2])
    expect([few.has(0), few.has(1), few.has(2)]).toEqual([false, true, false])
  })

  test('leaves out special tokens wherever they stand, and its figures are of the others alone', async () => {
    const special = [0, 5, 9]
    const strata = ['frequency']
    const frequencyBands = [0.02]
    const { directory } = await run(
      { excludePositions: [], strata, frequencyBands },
      { dataset: { ...dataset, specialTokens: special } },
    )
    const taken = train.flatMap(window => [...window.tokens].map((token, position) => ({ window, token, position })))
    const expected = taken.filter(({ token }) => !special.includes(token))
    expect(expected.length).toBeLessThan(taken.length - 200)
    expect((await rowsOf(directory)).map(({ key }) => key)).toEqual(
      expected.map(({ window, position }) => `${window.index} ${position}`),
    )
    const { sampling, sites, rows } = await manifestOf(directory)
    expect([rows, sampling.population, sampling.excludeTokens]).toEqual([expected.length, expected.length, special])
    const values = expected.map(({ window, position }) => residOf(window, position)[0]!)
    const mean = values.reduce((a, b) => a + b) / values.length
    expect(sites[0]!.statistics.mean[0]).toBeCloseTo(mean, 9)
    expect(
      sites[0]!.statistics.variance[0]! / (values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length),
    ).toBeCloseTo(1, 9)
    const share = (token: number) => expected.filter(row => row.token === token).length / expected.length
    const common = expected.filter(({ token }) => share(token) >= 0.02).length
    expect(sampling.strata.map(({ values, population }) => [values.frequency, population])).toEqual([
      ['<0.02', expected.length - common],
      ['>=0.02', common],
    ])
  })

  test('says how many documents were left out, and holds its table of windows by hash', async () => {
    const skipped = [{ reason: 'no text', count: 2 }]
    const { directory } = await run({}, { dataset: { ...dataset, skipped } })
    const manifest = await manifestOf(directory)
    expect(manifest.dataset.skipped).toEqual(skipped)
    expect(manifest.dataset).not.toHaveProperty('unchecked')
    const path = join(directory, manifest.windows!.file)
    const table = await readTable(path)
    expect(table.source).toEqual(dataset.documents.map(({ id }) => id))
    expect(table['strata.language']!.filter(value => value === 'fi')).toHaveLength(30)
    const bytes = await readFile(path)
    bytes[bytes.length >> 1]! ^= 1
    await writeFile(path, bytes)
    await expect(openCapture(directory)).rejects.toThrow(/checksum of the table of windows .*windows\.parquet is wrong/)
    await rm(path)
    await expect(openCapture(directory)).rejects.toThrow(/There is no table of windows at/)
  })

  test('names the files of the text that have no checksums', async () => {
    const unchecked = ['old/a.jsonl.zst', 'b & c.txt.zst']
    const { directory } = await run({}, { dataset: { ...dataset, unchecked } })
    expect((await manifestOf(directory)).dataset.unchecked).toEqual(unchecked)
  })

  test('leaves out the ids that the config lists in place of special tokens, or none', async () => {
    const inputs = { dataset: { ...dataset, specialTokens: [5] } }
    const tokensOf = async (excludeTokens: number[]) =>
      new Set((await rowsOf((await run({ excludeTokens }, inputs)).directory)).map(({ token }) => token))
    expect([(await tokensOf([7])).has(5), (await tokensOf([7])).has(7), (await tokensOf([])).has(7)]).toEqual([
      true,
      false,
      true,
    ])
  })

  test('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors
    await run({ sites: [resid, 'hook_embed'] })
    await expect(run({}, { model: fakeModel({ poison: 9 }).model })).rejects.toThrow()
    expect(tf.memory().numTensors).toBe(before)
  })
})

describe('sampling', () => {
  test('proportional: one rate for all, and counts and weights close to what they estimate', async () => {
    const { directory } = await run({ tokens: 800, strata: ['language', 'position'] })
    const { sampling, rows } = await manifestOf(directory)
    expect(Math.abs(rows - 800)).toBeLessThan(4 * Math.sqrt(800))
    expect(sampling.population).toBe(population)
    for (const stratum of sampling.strata) {
      expect(stratum.probability).toBeCloseTo(800 / population, 12)
      const expected = stratum.population * stratum.probability
      expect(Math.abs(stratum.sample - expected)).toBeLessThan(4 * Math.sqrt(expected) + 1)
    }
    const weights = (await rowsOf(directory)).reduce((sum, { weight }) => sum + weight, 0)
    expect(Math.abs(weights / population - 1)).toBeLessThan(0.15)
  })

  test('equal: the quota from each stratum, all of one that has fewer, exactly so in expectation', async () => {
    const tokens = 900
    const { directory } = await run({
      tokens,
      strata: ['language', 'position'],
      positionBands: [4, 18],
      allocation: 'equal',
    })
    const { sampling } = await manifestOf(directory)
    const expected = sampling.strata.map(({ population, probability }) => population * probability)
    expect(expected.reduce((sum, count) => sum + count, 0)).toBeCloseTo(tokens, 6)
    const quota = Math.max(...expected)
    expect(sampling.strata.some(({ probability }) => probability === 1)).toBe(true)
    for (const [i, { population, sample, probability }] of sampling.strata.entries()) {
      expect(expected[i]).toBeCloseTo(Math.min(population, quota), 6)
      if (probability === 1) expect(sample).toBe(population)
      else expect(Math.abs(sample - quota)).toBeLessThan(4 * Math.sqrt(quota))
    }
    const rows = await rowsOf(directory)
    for (const { stratum, weight } of rows) expect(weight).toBeCloseTo(1 / sampling.strata[stratum]!.probability, 5)
  })

  test('neyman: by the spread that a pilot measures, which is kept, and cut or not the bytes are the same', async () => {
    // Positions differ in spread: the block's output sums the embeddings so far.
    const settings = {
      tokens: 400,
      strata: ['position'],
      positionBands: [4, 10],
      allocation: 'neyman',
      pilotTokens: 600,
    }
    const fake = fakeModel()
    const { directory, config } = await run(settings, { model: fake.model })
    const { sampling } = await manifestOf(directory)
    expect(Math.abs(sampling.pilot!.rows - 600)).toBeLessThan(4 * Math.sqrt(600))
    const [first, second, third] = sampling.pilot!.spreads as [number, number, number]
    expect([second > 1.2 * first, third > 1.2 * second]).toEqual([true, true])
    const expected = sampling.strata.map(({ population, probability }) => population * probability)
    expect(expected.reduce((a, b) => a + b)).toBeCloseTo(400, 6)
    const rates = sampling.strata.map(({ probability }, i) => probability / sampling.pilot!.spreads[i]!)
    for (const rate of rates) expect(rate / rates[0]!).toBeCloseTo(1, 9)

    const again = join(folder, 'pilot-cut')
    const cut = capture(contextOf(again, abortAfter(1000)), { model: fakeModel().model, dataset, config })
    await expect(cut).rejects.toMatchObject({ name: 'InterruptedError' })
    expect(await readdir(again)).toContain('pilot.note.json')
    await capture(contextOf(again), { model: fakeModel().model, dataset, config })
    expect(await filesOf(again)).toEqual(await filesOf(directory))
    const passes = fake.passes()
    await capture(contextOf(directory), { model: fake.model, dataset, config })
    expect(fake.passes()).toBe(passes)
    const poisoned = run(settings, { model: fakeModel({ poison: 9 }).model })
    await expect(poisoned).rejects.toThrow(/An activation at .* is NaN/)
  })

  test('counts: as given, each stratum close to its own', async () => {
    const counts = [
      { stratum: { language: 'fi' }, tokens: 100 },
      { stratum: { language: 'en' }, tokens: 200 },
    ]
    const { sampling } = await manifestOf((await run({ strata: ['language'], allocation: 'counts', counts })).directory)
    expect(sampling.strata.map(({ population, probability }) => population * probability)).toEqual([200, 100])
    for (const [i, { sample }] of sampling.strata.entries())
      expect(Math.abs(sample - [200, 100][i]!)).toBeLessThan(4 * Math.sqrt(200))
  })

  test('strata are what they are named for, and counted right', async () => {
    const { directory } = await run({ strata: ['language', 'position', 'frequency'], frequencyBands: [0.02] })
    const { sampling } = await manifestOf(directory)
    const rows = await rowsOf(directory)
    const counts = new Map<number, number>()
    for (const { token } of rows) counts.set(token, (counts.get(token) ?? 0) + 1)
    const seen = sampling.strata.map(() => 0)
    for (const { stratum, window, position, token } of rows) {
      seen[stratum]!++
      expect(sampling.strata[stratum]!.values).toEqual({
        language: dataset.documents.at(window.documents[position]!)!.strata.language,
        position: position < 8 ? '0-7' : '8-31',
        frequency: counts.get(token)! / rows.length < 0.02 ? '<0.02' : '>=0.02',
      })
    }
    expect(seen).toEqual(sampling.strata.map(({ population }) => population))
    expect(new Set(sampling.strata.map(({ values }) => values.frequency)).size).toBe(2)
  })

  test('takes the same tokens whatever the batches, the shards, the order of windows and the number of sites', async () => {
    const settings = { tokens: 500, strata: ['language'], allocation: 'equal' }
    const keys = async (...args: Parameters<typeof run>) =>
      (await rowsOf((await run(...args)).directory)).map(({ key, values }) => `${key} ${values}`)
    const base = await keys(settings)
    expect(await keys({ ...settings, batchTokens: 1000, shardRows: 37, batchRows: 5 })).toEqual(base)
    expect(await keys({ ...settings, sites: ['hook_embed', resid] })).toEqual(base)
    const reversed = { ...dataset, windows: [...dataset.windows].reverse() }
    expect((await keys(settings, { dataset: reversed })).sort()).toEqual([...base].sort())
    expect(await keys(settings, {}, 2)).not.toEqual(base)
  })
})

describe('statistics', () => {
  test('are the float64 figures of the stored rows, in whatever shards', async () => {
    const settings = { tokens: 1200, strata: ['language'], allocation: 'equal' }
    const { directory } = await run(settings)
    const rows = await rowsOf(directory)
    const { statistics } = (await manifestOf(directory)).sites[0]!
    const n = rows.length
    const total = rows.reduce((sum, { weight }) => sum + weight, 0)
    for (let i = 0; i < width; i++) {
      const mean = rows.reduce((sum, { values }) => sum + values[i]!, 0) / n
      const variance = rows.reduce((sum, { values }) => sum + (values[i]! - mean) ** 2, 0) / n
      const weighted = rows.reduce((sum, { values, weight }) => sum + weight * values[i]!, 0) / total
      expect(statistics.mean[i]! / mean).toBeCloseTo(1, 12)
      expect(statistics.variance[i]! / variance).toBeCloseTo(1, 12)
      expect(statistics.populationMean[i]! / weighted).toBeCloseTo(1, 12)
    }
    const norm = rows.reduce((sum, { values }) => sum + Math.hypot(...values), 0) / n
    expect(statistics.norm / norm).toBeCloseTo(1, 12)
    const other = (await manifestOf((await run({ ...settings, shardRows: 50 })).directory)).sites[0]!.statistics
    expect(other.variance[0]! / statistics.variance[0]!).toBeCloseTo(1, 12)
  })
})

describe('the audit', () => {
  const settings = {
    tokens: 900,
    strata: ['language'],
    allocation: 'equal',
    frequencyBands: [0.02],
    sites: [resid, 'hook_embed'],
  }

  test('with a full pass holds the estimates to it, whatever the shards, cut or not', async () => {
    const before = tf.memory().numTensors
    const { directory, config } = await run({ ...settings, audit: { fullPass: true }, shardRows: 300 })
    const { audit, sites, rows, sampling } = await manifestOf(directory)
    const everything = await manifestOf((await run({ sites: settings.sites })).directory)
    for (const [i, site] of audit!.sites.entries()) {
      const { statistics } = everything.sites[i]!
      const trace = statistics.variance.reduce((a, b) => a + b)
      expect(site.trace.full! / trace).toBeCloseTo(1, 9)
      expect(site.norm.full! / statistics.norm).toBeCloseTo(1, 9)
      expect(site.mean.p).toBeGreaterThan(0.001)
      const off = sites[i]!.statistics.populationMean.map((mean, j) => mean - statistics.mean[j]!)
      expect(site.mean.distance! / (Math.hypot(...off) / Math.sqrt(trace))).toBeCloseTo(1, 6)
      expect(site.trace.low < trace && trace < site.trace.high).toBe(true)
    }
    expect(tf.memory().numTensors).toBe(before)
    const weights = sampling.strata.map(({ sample, probability }) => [sample, 1 / probability] as const)
    const sum = weights.reduce((all, [n, w]) => all + n * w, 0)
    expect(audit!.effectiveSize).toBeCloseTo(sum ** 2 / weights.reduce((all, [n, w]) => all + n * w * w, 0), 6)
    expect(audit!.effectiveSize).toBeLessThan(rows)
    expect(audit!.fields.map(({ field, values }) => [field, values])).toEqual([
      ['language', 2],
      ['position', 2],
      ['frequency', 2],
    ])
    expect(audit!.draw.df).toBe(sampling.strata.filter(({ probability }) => probability < 1).length)
    expect(audit!.strata[0]!.documents).toBeLessThanOrEqual(216)

    const again = join(folder, 'audit-cut')
    const cut = capture(contextOf(again, abortAfter(1200)), { model: fakeModel().model, dataset, config })
    await expect(cut).rejects.toMatchObject({ name: 'InterruptedError' })
    await capture(contextOf(again), { model: fakeModel().model, dataset, config })
    expect(await filesOf(again)).toEqual(await filesOf(directory))
  })

  test('refuses a token of the text that is not finite, though it was not taken', async () => {
    const poison = train[7]!.tokens[1]!
    const attempt = run(
      { tokens: 5, sites: ['hook_embed'], audit: { fullPass: true } },
      { model: fakeModel({ poison }).model },
    )
    await expect(attempt).rejects.toThrow(/An activation at hook_embed is (not finite at position \d+ of d\d+|NaN)/)
  })

  test('of every token says that nothing was left to chance, and finds planted copies and outliers', async () => {
    const copies = dataset.windows.map(window =>
      window.index === 12
        ? {
            ...window,
            tokens: train[0]!.tokens,
            offsets: train[0]!.offsets,
            documents: new Uint32Array(train[0]!.tokens.length).fill(12),
          }
        : window,
    )
    const { directory } = await run({}, { dataset: { ...dataset, windows: copies } })
    const { audit } = await manifestOf(directory)
    expect([audit!.draw.p, audit!.fullPass, audit!.sites[0]!.mean.error]).toEqual([null, false, 0])
    // Two other windows of two tokens are equal by chance.
    expect(audit!.documents.duplicates.largest).toEqual([train[0]!.id, 'd86'].map(id => ({ id, copies: 1 })))
    expect(audit!.vocabulary).toMatchObject({ model: vocabulary, coverage: 1, missing: [] })
  })

  test('of a draw that was tampered with fails its gate, that of a fair one passes', async () => {
    const { directory } = await run(settings)
    const { audit, rows } = await manifestOf(directory)
    const gates = { minimumP: 0.001, maximumThinStrata: 0, minimumCoverage: 0.999, maximumPsi: 0.1 }
    const statuses = (own: typeof audit) => judgeCapture(gates, rows, own).map(({ status }) => status)
    expect(statuses(audit)).toEqual(['pass', 'pass', 'pass', 'pass'])
    const tampered = {
      ...audit!,
      draw: { ...audit!.draw, p: 1e-6 },
      strata: audit!.strata.map(s => ({ ...s, thin: true })),
    }
    expect(statuses(tampered)).toEqual(['fail', 'pass', 'pass', 'fail'])
    expect(statuses(null)).toEqual(['inconclusive', 'inconclusive', 'inconclusive', 'inconclusive'])
    expect(auditLines(rows, tampered).join()).toMatch(/thin strata: 2 of 2/)
  })
})

describe('a capture that is cut', () => {
  const settings = { sites: [resid, 'hook_embed'], shardRows: 300 }

  test.each([1, 700, 1500, 2400])(
    'after %i tokens goes on, without doing a shard twice, to the same bytes',
    async at => {
      const whole = await run(settings)
      const fakes = [fakeModel(), fakeModel(), fakeModel()] as const
      await run(settings, { model: fakes[0].model })
      const directory = join(folder, `cut-${at}`)
      const inputs = (model: Model) => ({ model, dataset, config: whole.config })
      const cut = capture(contextOf(directory, abortAfter(at)), inputs(fakes[1].model))
      await expect(cut).rejects.toMatchObject({ name: 'InterruptedError', exitCode: 4 })
      expect(await readdir(directory)).not.toContain('capture.json')
      const kept = (await readdir(directory)).filter(name => name.endsWith('.arrow')).length
      expect(kept).toBe({ 1: 0, 700: 2, 1500: 4, 2400: 7 }[at])
      const summary = await capture(contextOf(directory), inputs(fakes[2].model))
      expect(summary).toEqual(whole.summary)
      expect(await filesOf(directory)).toEqual(await filesOf(whole.directory))
      // The shard under way when it was cut is all that was computed twice.
      const passesOfShard = Math.ceil(fakes[0].passes() / whole.summary.shards) + 2
      expect(fakes[1].passes() + fakes[2].passes()).toBeLessThanOrEqual(fakes[0].passes() + passesOfShard)
    },
  )

  test('by a signal in any pass over text that is long ends soon, and goes on to the same bytes', async () => {
    const strata = {
      strata: ['language', 'frequency'],
      tokens: 300,
      allocation: 'neyman',
      audit: { nearDuplicate: 0.5 },
    }
    const text = fakeDataset(60)
    const whole = await run({ sites: [resid], ...strata }, { dataset: text })
    let clock = 0
    const now = vi.spyOn(performance, 'now').mockImplementation(() => clock)
    try {
      for (let pass = 0, isCut = true; isCut; pass++) {
        const directory = join(folder, `signal-${pass}`)
        const controller = new AbortController()
        const inputs = { model: fakeModel().model, config: whole.config }
        let [begun, slow] = [0, 0]
        /** Values of which each takes long to read in one pass, as which begins the signal comes. */
        const slowly = <T>(values: Sequence<T>) =>
          new ReadSequence(values.length, place => {
            if (place === 0 && begun++ === pass) setImmediate(() => controller.abort())
            if (begun === pass + 1) clock += 30
            if (begun === pass + 1) slow++
            return values.at(place)!
          })
        const long = { ...text, windows: slowly(text.windows), documents: slowly(text.documents) }
        isCut = await capture(contextOf(directory, { signal: controller.signal }), { ...inputs, dataset: long }).then(
          () => false,
          error => error.name === 'InterruptedError',
        )
        // A tenth of a second, and what is read of other windows and documents at once.
        expect({ pass, slow, isSoon: slow < 20 }).toEqual({ pass, slow, isSoon: true })
        if (!isCut) expect(pass).toBeGreaterThan(15)
        if (!isCut || pass % 8 > 0) continue
        await capture(contextOf(directory), { ...inputs, dataset: text })
        expect(await filesOf(directory)).toEqual(await filesOf(whole.directory))
      }
    } finally {
      now.mockRestore()
    }
  })

  test('anywhere else, with half-written files and broken shards about, ends the same', async () => {
    const whole = await run(settings)
    const directory = join(folder, 'broken')
    const inputs = { model: fakeModel().model, dataset, config: whole.config }
    await capture(contextOf(directory, abortAfter(2400)), inputs).catch(() => {})
    const { writeFile, truncate } = await import('node:fs/promises')
    await writeFile(join(directory, 'shard-00009.arrow.123.partial'), 'half')
    await truncate(join(directory, 'shard-00001.arrow'), 100)
    await writeFile(join(directory, 'shard-00002.note.json'), '{"schema":')
    await rm(join(directory, 'shard-00003.note.json'))
    await capture(contextOf(directory), inputs)
    expect(await filesOf(directory)).toEqual(await filesOf(whole.directory))
  })

  test('after its end is not done again, and tidies up', async () => {
    const { directory, config, summary } = await run(settings)
    const before = await filesOf(directory)
    const { writeFile } = await import('node:fs/promises')
    await writeFile(join(directory, 'shard-00000.note.json'), '{}')
    const fake = fakeModel()
    expect(await capture(contextOf(directory), { model: fake.model, dataset, config })).toEqual(summary)
    expect(fake.passes()).toBe(0)
    expect(await filesOf(directory)).toEqual(before)
    const other = capture(contextOf(directory, { seed: 2 }), { model: fake.model, dataset, config })
    await expect(other).rejects.toThrow(/holds another capture/)
  })
})

describe('files of a finished capture that are damaged', () => {
  const settings = { tokens: 900, strata: ['language'], allocation: 'equal', shardRows: 300, audit: { fullPass: true } }

  test('are made again to the same bytes, each alone', async () => {
    const { directory, config } = await run(settings)
    const before = await filesOf(directory)
    const tensors = tf.memory().numTensors
    await writeFile(join(directory, 'shard-00001.arrow'), 'damaged')
    await rm(join(directory, 'windows.parquet'))
    const files = ['shard-00001.arrow', 'windows.parquet']
    await repairCapture(contextOf(directory), { model: fakeModel().model, dataset, config }, files)
    expect(await filesOf(directory)).toEqual(before)
    expect(tf.memory().numTensors).toBe(tensors)
  })

  test('are left as they are where the bytes come out different, or where they are not made alone', async () => {
    const { directory, config } = await run(settings)
    await writeFile(join(directory, 'shard-00001.arrow'), 'damaged')
    const { model: other } = fakeModel()
    const moved: Model = { ...other, run: (tokens, options) => other.run(tokens, options).mul(2) }
    const repair = (own: Model, file: string) =>
      repairCapture(contextOf(directory), { model: own, dataset, config }, [file])
    await expect(repair(moved, 'shard-00001.arrow')).rejects.toThrow(/was made again, but with other bytes/)
    expect(await readFile(join(directory, 'shard-00001.arrow'), 'utf8')).toBe('damaged')
    await expect(repair(other, 'capture.json')).rejects.toThrow(/cannot be made again alone/)
  })
})

describe('other forms', () => {
  test('float16 shards hold the nearest halves, and their statistics are of what is stored', async () => {
    const { directory } = await run({ dtype: 'float16', sites: ['hook_embed'] })
    const rows = await rowsOf(directory, 'hook_embed')
    for (const { token, values } of rows) expect(values).toEqual(embedOf(token))
    const { dtype, sites } = await manifestOf(directory)
    expect([dtype, sites[0]!.statistics.rounding]).toEqual(['float16', { relative: 0, largest: 0 }])
  })

  test('Parquet holds the same rows', async () => {
    const { directory } = await run({ format: 'parquet', shardRows: 1e6 })
    const arrow = await rowsOf((await run()).directory)
    const table = await readTable(join(directory, 'shard-00000.parquet'))
    expect(table.document).toEqual(arrow.map(({ window }) => window.index))
    expect(table[resid]).toEqual(arrow.map(({ values }) => values))
    await expect(openCapture(directory)).rejects.toThrow(/is in parquet, which other tools read/)
  })
})

describe('what cannot be captured is refused', () => {
  test('an unknown site, with the nearest ones', async () => {
    const error = await run({ sites: ['blocks.0.hook_resid_pst'] }).catch(e => e)
    expect(error.message).toMatch(/has no site blocks\.0\.hook_resid_pst/)
    expect(error.fix).toMatch(/Did you mean blocks\.0\.hook_resid_post/)
  })
  test('a site without a value for each token', () =>
    expect(run({ sites: ['blocks.0.attn.hook_pattern'] })).rejects.toThrow(/no value for each token/))
  test('a site named twice', () => expect(run({ sites: [resid, resid] })).rejects.toThrow(/names .* twice/))
  test('an unknown stratum', async () => {
    const error = await run({ strata: ['langage'] }).catch(e => e)
    expect([error.message, error.fix].join(' ')).toMatch(/names langage, but no document.*Did you mean language\?/)
  })
  test('bands that do not increase', () =>
    expect(run({ positionBands: [8, 4] })).rejects.toThrow(/positionBands is \[8,4\]: must increase/))
  test('an unknown key', () => expect(run({ site: resid })).rejects.toThrow(/has no key site/))
  test('tokens that the model does not have', async () => {
    const { model } = fakeModel()
    const small = { ...model, config: { ...model.config, vocabulary: 20 } }
    await expect(run({}, { model: small })).rejects.toThrow(/has 20 tokens, but window .* has token/)
  })
  test('positions all excluded', () =>
    expect(run({ excludePositions: [...Array(64).keys()] })).rejects.toThrow(/No token of fake is left/))
  test('NaN in activations, named by site, place and document', async () => {
    const poison = train[5]!.tokens[1]!
    const first = train.find(({ tokens }) => tokens.indexOf(poison, 1) > 0)!
    const attempt = run({ sites: ['hook_embed', resid] }, { model: fakeModel({ poison }).model })
    await expect(attempt).rejects.toThrow(
      `An activation at hook_embed, position ${first.tokens.indexOf(poison, 1)} of ${first.id} is NaN.`,
    )
    expect((await readdir(join(folder, String(directories - 1)))).filter(name => name.includes('capture'))).toEqual([])
  })
  test('a number beyond float16', async () => {
    const { model } = fakeModel()
    const large: Model = { ...model, run: (tokens, options) => model.run(tokens, options).mul(1e4) }
    await expect(run({ dtype: 'float16' }, { model: large })).rejects.toThrow(/larger than float16 can hold \(\d+\)/)
  })
})
