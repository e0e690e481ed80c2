import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../core/progress.ts'
import { memoryMetrics, type StageContext } from '../core/stage.ts'
import { Looks } from '../datasets/looks.fixture.ts'
import { readTable } from '../datasets/tables.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import { encodeWindows } from '../latents/activations.ts'
import { oneHotDataset, oneHotModel, oneHotSae } from '../latents/one-hot.fixture.ts'
import { LabelConfig } from './config.ts'
import { examplesOf } from './describe/examples.ts'
import { logitEffects } from './describe/logits.ts'
import { bestRule, ruleFacts, scoreRule } from './describe/rules.ts'
import { inWords, labelOf, noLabel } from './describe/words.ts'
import { evidenceOf } from './evidence.fixture.ts'
import { readFeatures } from './files.ts'
import { type LabelInputs, label } from './label.ts'
import { drawText } from './text.ts'

const rows = [
  [0, 1, 2, 3],
  [0, 3, 1],
  [0, 2, 2, 4, 1, 3],
  [0, 4],
]
const dataset = oneHotDataset(rows)
const collect = (batchTokens = 100) =>
  encodeWindows(oneHotModel(), oneHotSae(), dataset.windows, { batchTokens, signal: new AbortController().signal })
const folders: string[] = []

beforeAll(async () => {
  await startEngine()
})
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true })
})

describe('rules', () => {
  const facts = async () => ruleFacts(await collect(), dataset, dataset.concepts)

  test('find the token a latent detects', async () => {
    expect(bestRule(await facts(), 3)).toEqual({
      rule: { kind: 'token', values: [3] },
      score: { precision: 1, recall: 1, f1: 1, baseRate: 3 / 11 },
    })
  })

  test('score precision by activation and recall by tokens', async () => {
    // Latent 1 fires on token 1 (3 times); 'small' holds for tokens 1 and 2 (6 times).
    expect(scoreRule(await facts(), 1, { kind: 'concept', values: ['small'] })).toEqual({
      precision: 1,
      recall: 0.5,
      f1: 2 / 3,
      baseRate: 6 / 11,
    })
  })

  test('say nothing of a latent that never fires', async () => expect(bestRule(await facts(), 5)).toBeUndefined())
})

test('examples show the tokens around the strongest one with every activation', async () => {
  const [first, second] = examplesOf(await collect(), 2, { top: 5, bands: 0, perBand: 0, context: 1, silent: 0 }, 0)
  expect(first).toMatchObject({ group: 'top', rank: 0, window: 0, position: 2, start: 1, activation: 1 })
  expect([...first!.activations]).toEqual([0, 1, 0])
  expect(second).toMatchObject({ window: 2, position: 1, start: 0 })
  expect([...second!.activations]).toEqual([0, 1, 1])
})

test('logit effects are the decoder times the unembedding, less the mean over the vocabulary', () => {
  const before = tf.memory().numTensors
  const decoder = tf.tensor2d([[2, 0]]) as Tensor2D
  const unembedding = tf.tensor2d([
    [1, 0, -4],
    [9, 9, 9],
  ]) as Tensor2D
  const [effects] = [...logitEffects(decoder, unembedding, 3, 2)]
  tf.dispose([decoder, unembedding])
  expect(effects!.promoted).toEqual([
    { token: 0, effect: 4 },
    { token: 1, effect: 2 },
  ])
  expect(effects!.suppressed).toEqual([
    { token: 2, effect: -6 },
    { token: 1, effect: 2 },
  ])
  expect(tf.memory().numTensors).toBe(before)
})

/** Columns that a language model would fill. */
const explained = [
  ...['explanation', 'explanation_model', 'explanation_scorer', 'explanation_coverage'],
  ...['detection', 'fuzzing', 'simulation'].flatMap(name =>
    ['', '_low', '_high', '_examples', '_unanswered'].map(end => `${name}${end}`),
  ),
  ...['scorer_kappa', 'human_kappa'],
]

describe('the stage', () => {
  const tokenizer = { vocabulary: 6, token: (id: number) => `t${id}` }
  const hashes = { sae: 'one-hot-sae', model: 'one-hot-model', dataset: 'one-hot-text' }
  const found = evidenceOf([{ feature: 1, effect: 0.5 }], hashes)

  async function run(more: Partial<LabelInputs> = {}, own: Partial<StageContext> = {}) {
    const directory = await mkdtemp(join(tmpdir(), 'labels-'))
    folders.push(directory)
    const summary = await label(
      { directory, seed: 1, progress: silent, signal: new AbortController().signal, metrics: memoryMetrics(), ...own },
      {
        model: oneHotModel(),
        sae: oneHotSae(),
        dataset,
        tokenizer,
        evidence: { evidence: found, name: 'run42-validate' },
        config: LabelConfig.parse({ sae: 'fake', logits: 2 }),
        ...more,
      },
    )
    return { directory, summary }
  }

  test('writes features and examples that read back, joined with the evidence', async () => {
    const before = tf.memory().numTensors
    const { directory, summary } = await run()
    expect(tf.memory().numTensors).toBe(before)
    expect(summary).toMatchObject({ latents: 6, alive: 3, validated: 1 })
    const features = await readFeatures(directory)
    expect(features[3]).toMatchObject({
      ...{ latent: 3, label: '“t3”', labelKind: 'token', labelF1: 1, hashes },
      rule: { kind: 'token', tokens: ['t3'], tokenIds: [3], concept: null },
    })
    expect(features[1]!.evidence).toMatchObject({ verdict: 'pass', intervention: 'ablate', documents: 12, effect: 0.5 })
    const table = await readTable(join(directory, 'features.parquet'), { schema: 4 })
    expect(table.label).toEqual(features.map(feature => feature.label))
    const examples = await readTable(join(directory, 'examples.parquet'), { schema: 4 })
    expect(examples.latent).toEqual([...(examples.latent as number[])].sort((a, b) => a - b))
  })

  test('leaves null what there is none of, in the table and in the lines', async () => {
    const { directory } = await run()
    const table = await readTable(join(directory, 'features.parquet'), { schema: 4 })
    const untested = Object.entries(table).flatMap(([name, values]) => (values[3] === null ? [name] : []))
    expect(untested).toEqual([
      ...[
        'label_score_low',
        'label_score_high',
        'rule_concept',
        ...explained,
        'tier',
        'intervention',
        'dose',
        'concept',
        'documents',
        'effect_metric',
        'effect',
        'effect_low',
      ],
      ...['effect_high', 'control_relative_effect', 'p', 'q', 'alpha', 'smallest_effect', 'stability'],
    ])
    // Latent 5 never fires: no rule, no score, no mean.
    const silent = Object.fromEntries(Object.entries(table).map(([name, values]) => [name, values[5]]))
    expect(silent).toMatchObject({
      ...{ label: null, label_kind: 'none', label_f1: null, rule_kind: null, rule_tokens: null, rule_token_ids: null },
      ...{ density: 0, mean_activation: null, max_activation: 0, verdict: 'not-run' },
    })
    expect((await readFeatures(directory))[5]).toMatchObject({ rule: null, labelF1: null, meanActivation: null })
  })

  test('says of steering that it is steering, at which dose, about which concept and on how many documents', async () => {
    const evidence = evidenceOf([{ feature: 1, primary: 'steer', concept: 'small' }], hashes)
    const { directory } = await run({ evidence: { evidence } })
    const { evidence: found } = (await readFeatures(directory))[1]!
    expect(found).toMatchObject({ intervention: 'steer', dose: 1, concept: 'small', documents: 12 })
    const table = await readTable(join(directory, 'features.parquet'), { schema: 4 })
    expect(['intervention', 'dose', 'concept', 'documents'].map(name => table[name]![1])).toEqual([
      'steer',
      1,
      'small',
      12,
    ])
  })

  test.each([
    ['sae', 'SAE'],
    ['model', 'model'],
    ['dataset', 'text'],
  ] as const)('refuses evidence about another %s, and names both', async (part, word) => {
    const evidence = evidenceOf([{ feature: 1 }], { ...hashes, [part]: 'f00dfeedf00dfeed' })
    const joined = run({
      evidence: { evidence, name: 'run42-validate', names: { [part]: 'theirs' } },
      names: { [part]: 'ours' },
    })
    await expect(joined).rejects.toThrow(
      `The evidence of run42-validate is about another ${word} than what is to be labelled: theirs (hash f00dfeedf00d), not ours (hash one-hot-`,
    )
  })

  test('refuses concepts that the dataset does not have, with the nearest names', async () => {
    const config = LabelConfig.parse({ sae: 'fake', logits: 2, concepts: ['smal'] })
    const error = await run({ config }).catch(error => error)
    expect(error.message).toBe('concepts names smal, but the dataset one-hot has no concept of that name.')
    expect(error.fix).toMatch(/^Did you mean small/)
  })

  test.each([0, 0.5])(
    'keeps a rule that fails on validation text as data and gives no label, at minimumF1 %d',
    async minimumF1 => {
      // Token 3 is in discovery text alone, so its rule has F1 0 on the other half.
      const text = oneHotDataset([
        [0, 1, 2, 3],
        [0, 3, 1],
        [0, 2, 2, 4],
        [0, 4, 1],
      ])
      const config = LabelConfig.parse({ sae: 'fake', logits: 2, minimumF1 })
      const { directory, summary } = await run({ dataset: text, config })
      const features = await readFeatures(directory)
      expect(features[3]).toMatchObject({
        ...{ label: null, labelKind: 'none', labelF1: 0, labelRecall: 0 },
        rule: { kind: 'token', tokens: ['t3'] },
      })
      expect(features[1]).toMatchObject({ label: '“t1”', labelF1: 1 })
      expect(summary).toMatchObject({ alive: 3, labelled: 2, belowMinimumF1: 1, meanF1: 1, meanRuleF1: 2 / 3 })
    },
  )

  test('joins the stability of each latent where it is given; without it, and without a partner, it is null', async () => {
    const stability = [0.5, 0.25, 1, null, 0.75, 0.125]
    const { directory } = await run({ stability })
    const table = await readTable(join(directory, 'features.parquet'), { columns: ['stability'], schema: 4 })
    expect(table.stability).toEqual(stability)
    expect((await readFeatures(directory)).map(feature => feature.stability)).toEqual(stability)
    const plain = await readTable(join((await run()).directory, 'features.parquet'), { schema: 4 })
    expect(plain.stability).toEqual(stability.map(() => null))
  })

  test('draws its text in passes that look for Ctrl-C all the time', async () => {
    const looks = new Looks(3)
    const signal = {
      get aborted() {
        looks.stop()
        return false
      },
    } as AbortSignal
    const text = drawText(looks.at(dataset), LabelConfig.parse({ sae: 't' }), { seed: 0, signal })
    await expect(text).rejects.toThrow('told to stop')
    expect(looks.longest).toBeLessThanOrEqual(2)
  })

  test('hears Ctrl-C between encoding its text and describing the first latent', async () => {
    const stopping = new AbortController()
    const started: string[] = []
    const progress = {
      ...silent,
      start: (name: string) => void started.push(name),
      // What was counted last is the second half of the text.
      finish: () => void (started.length === 2 && stopping.abort()),
    }
    await expect(run({}, { progress, signal: stopping.signal })).rejects.toThrow('was interrupted')
    expect(started).toEqual(['Encoding discovery text', 'Encoding validation text'])
  })

  test('hears Ctrl-C between any two latents', async () => {
    new Looks()
    const stopping = new AbortController()
    const described: number[] = []
    let isDescribing = false
    const progress = {
      ...silent,
      start(name: string) {
        isDescribing = name === 'Describing latents'
      },
      update(done: number) {
        if (!isDescribing) return
        described.push(done)
        if (done === 2) stopping.abort()
      },
    }
    await expect(run({}, { progress, signal: stopping.signal })).rejects.toThrow('was interrupted')
    expect(described).toEqual([1, 2])
  })

  test('writes the same bytes again', async () => {
    const [a, b] = [await run(), await run()]
    for (const name of ['features.parquet', 'examples.parquet', 'features.jsonl'])
      expect(await readFile(join(a.directory, name))).toEqual(await readFile(join(b.directory, name)))
  })
})

describe('a rule is a label', () => {
  const rule = { kind: 'token', tokens: ['a'], tokenIds: [1], concept: null } as const
  const scored = (f1: number) => ({ precision: f1, recall: f1, f1, baseRate: 0.1 })

  test.each([
    [0.5, 0.5, '“a”'],
    [0.49, 0.5, null],
    [0.01, 0, '“a”'],
    [0, 0, null],
  ])('with F1 %d on validation text and a bar of %d: %s', (f1, bar, label) => {
    const rules = { ...rule, tokens: [...rule.tokens], tokenIds: [...rule.tokenIds] }
    expect(labelOf(rules, scored(f1), bar)).toEqual(
      label === null
        ? noLabel
        : {
            ...{ label, labelKind: 'token', labelScoreName: 'f1', labelScore: f1 },
            ...{ labelScoreLow: null, labelScoreHigh: null, labelCoverage: f1, labelSource: 'rule' },
          },
    )
  })

  test('in words is short, however many and long the tokens, and steers no terminal', () => {
    const tokens = ['\u202ea', 'b\n', 'c', 'd', 'e', 'f', 'W'.repeat(1000)]
    expect(inWords({ kind: 'token', tokens, tokenIds: [], concept: null })).toBe(
      '“\\u202ea”, “b\\n”, “c”, “d” or 3 more',
    )
    expect(inWords({ kind: 'token', tokens: tokens.slice(6), tokenIds: [], concept: null }).length).toBeLessThan(70)
  })
})
