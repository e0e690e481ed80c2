import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { InterruptedError, UserError } from '../core/errors.ts'
import { silent } from '../core/progress.ts'
import { memoryMetrics } from '../core/stage.ts'
import { startEngine } from '../engine/engine.ts'
import { tf } from '../engine/tf.ts'
import { conceptCount, fakeDataset, fakeModel, fakeSae } from '../latents/fake.fixture.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'
import { ValidateConfig } from './config.ts'
import { readEffects } from './effects-table.ts'
import { Claims, evidenceByLatent, readEvidence } from './evidence.ts'
import { type GatesConfig, judgeGates } from './judging/gates.ts'
import { verifyEvidence } from './recompute.ts'
import { secondaryControls } from './rows.ts'
import { validate } from './validate.ts'

const folders: string[] = []
let model: Model
let sae: Sae
const dataset = fakeDataset(240)

beforeAll(async () => {
  await startEngine()
  model = fakeModel()
  sae = fakeSae()
})
afterAll(async () => {
  model.dispose()
  sae.dispose()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

const folder = async () => {
  const directory = await mkdtemp(join(tmpdir(), 'validation-'))
  folders.push(directory)
  return directory
}
const isLong = process.env.PIPELINE_LONG !== undefined
/** How often nulls are drawn. */
const seeds = isLong ? 2 : 1
const concepts = Array.from({ length: conceptCount }, (_, i) => i)
/** The planted latents that are put to the test: three can be told from 59 controls each, six from 119. */
const planted = isLong ? concepts : concepts.slice(0, 3)
const count = planted.length / 0.05 - 1
const own = { documents: 10, bootstrap: 200, tokens: 4000, maxTokens: 1000, studies: [] }
const settings = { ...own, latents: planted, controls: { tied: count, random: count, foreign: count } }
const two = ValidateConfig.parse({ ...settings, latents: [0, 1] })
let ofTwo: ReturnType<typeof run> | undefined
/** One run of two latents, for the tests that only read it. */
const runOfTwo = () => (ofTwo ??= run({ config: two }))

async function run(
  inputs: Partial<Parameters<typeof validate>[1]> & { config?: ValidateConfig } = {},
  directory?: string,
) {
  const place = directory ?? (await folder())
  const metrics = memoryMetrics()
  const context = { directory: place, seed: 3, progress: silent, signal: new AbortController().signal, metrics }
  const summary = await validate(context, {
    model,
    sae,
    dataset,
    config: ValidateConfig.parse(settings),
    ...inputs,
  })
  return { directory: place, summary, metrics, evidence: await readEvidence(join(place, 'evidence.json')) }
}

const bytesOf = async (directory: string) =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(directory))
        .sort()
        .map(async name => [name, (await readFile(join(directory, name))).toString('hex')]),
    ),
  )

describe('a model whose concepts are known', () => {
  test('planted concepts are found: every latent passes, with the sign of its claim', async () => {
    const before = tf.memory().numTensors
    const baselines = { claims: 2, kinds: ['random', 'pca'] }
    const { directory, summary, evidence } = await run({
      config: ValidateConfig.parse({ ...own, latents: planted, studies: ['baselines', 'interventions'], baselines }),
    })
    expect(tf.memory().numTensors).toBe(before)
    expect(summary).toMatchObject({ latents: planted.length, passed: planted.length, failed: 0 })
    for (const feature of evidence.features) {
      expect(feature.claim.concept).toBe(`cue=${feature.claim.feature}`)
      expect(feature.ablate!.metrics.target.effect.high).toBeLessThan(0)
      expect(feature.steer!.metrics.target.effect.low).toBeGreaterThan(0)
      const counts = feature.ablate!.metrics.target.controls.map(({ control, count }) => [control, count] as const)
      expect(counts.map(([control]) => control)).toEqual(['random', 'foreign', 'tied'])
      // At least 99 of each kind, and claims / .05 − 1; of the tied ones a few fire in too few documents.
      const least = Math.max(99, count)
      for (const [control, made] of counts)
        expect(made).toBeGreaterThanOrEqual(control === 'tied' ? 0.8 * least : least)
      expect(feature.selectivity!.auroc).toBeGreaterThan(0.99)
      expect(feature.doseTrend).toBeGreaterThan(0.9)
      expect(feature.sham).toBe(0)
    }
    expect(await verifyEvidence(directory)).toEqual([])
    expect(await readdir(directory)).toEqual([
      ...[
        'bundle.json',
        'claims.json',
        'effects.parquet',
        'evidence.json',
        'reconstruction.parquet',
        'selectivity.parquet',
        'study-baselines.parquet',
        'study-interventions.parquet',
      ],
    ])
    expect(evidence.studies.baselines!.baselines.map(({ name, passed }) => [name, passed])).toEqual([
      ['random', 0],
      ['pca', 0],
    ])
    const all = `${planted.length} of ${planted.length}`
    expect(summary.baselines).toContain(
      `ahead: ${all} claims pass, and 0 of 4 of baselines: random directions (0 of 2)`,
    )
  })

  test('random decoders behind the same encoder are not found', async () => {
    let passed = 0
    let tested = 0
    for (let seed = 0; seed < seeds; seed++) {
      const other = fakeSae({ decoder: 'random', seed })
      const { summary, evidence } = await run({ sae: other })
      other.dispose()
      passed += summary.passed
      tested += summary.latents
      // The encoder is the true one, so the latents still tell the concepts.
      for (const { selectivity } of evidence.features) expect(selectivity!.verdict).toBe('pass')
    }
    expect(tested).toBe(seeds * planted.length)
    expect(passed).toBe(0)
  })

  test('an untrained SAE, encoder and decoder the same random directions, is not found, with labels and without', async () => {
    let passed = 0
    // Of a kind that another one kept from being measured whole, the share of those at hand that reach as far.
    const p: Record<string, number[]> = { tied: [], random: [] }
    for (const claims of ['auto', 'firing'] as const) {
      const untrained = fakeSae({ decoder: 'untrained' })
      const config = ValidateConfig.parse({ ...settings, latents: planted.length, claims })
      const { summary, evidence } = await run({ sae: untrained, config })
      untrained.dispose()
      passed += summary.passed
      for (const { ablate } of evidence.features)
        for (const control of ablate?.metrics.target.controls ?? [])
          p[control.control]?.push(control.method === 'bound' ? 1 - control.percentile! : control.p!)
    }
    const small = (values: readonly number[]) => values.filter(value => value <= 0.05).length
    expect(p.tied).toHaveLength(2 * planted.length)
    // Ranked among directions of equal norm alone, most would move their targets farther than chance has it.
    expect(small(p.random!)).toBeGreaterThan(planted.length)
    expect(small(p.tied!)).toBeLessThanOrEqual(planted.length / 3)
    expect(passed).toBeLessThanOrEqual(1)
  })

  test('shuffled labels are not found: they show in no text, and claimed all the same they fail', async () => {
    for (let seed = 0; seed < seeds; seed++) {
      const shuffled = fakeDataset(240, { shuffle: true, seed })
      const config = { ...settings, claims: 'concept' as const }
      const strict = await run({ dataset: shuffled, config: ValidateConfig.parse(config) })
      expect(strict.summary).toMatchObject({ passed: 0, notRun: planted.length })
      const claimed = await run({
        dataset: shuffled,
        config: ValidateConfig.parse({ ...config, minimumSeparation: 0 }),
      })
      expect(claimed.summary.passed).toBe(0)
      expect(claimed.summary.notRun).toBeLessThan(planted.length)
      for (const { selectivity } of claimed.evidence.features) expect(selectivity?.verdict).not.toBe('pass')
    }
  })

  test('without labels the text that follows a latent is its target, and the planted ones pass', async () => {
    const config = ValidateConfig.parse({ ...settings, claims: 'firing' })
    const { summary, evidence } = await run({ config })
    expect(summary.passed).toBe(planted.length)
    expect(evidence.features.every(({ claim, selectivity }) => claim.concept === null && selectivity === null)).toBe(
      true,
    )
  })

  test('auto chooses the planted latents first, by discovery text alone', async () => {
    const few = { controls: { tied: 19, random: 19, foreign: 19 }, shuffles: 99, documents: 3, doses: [1] }
    const { evidence } = await run({ config: ValidateConfig.parse({ ...settings, ...few, latents: 8 }) })
    expect(evidence.features.map(({ claim }) => claim.feature).slice(0, conceptCount)).toEqual(concepts)
  })
})

describe('the files', () => {
  test('splits share no document, claims hold what evidence holds, and effects have a row per edit', async () => {
    const { directory, evidence, metrics } = await runOfTwo()
    const discovery = new Set(evidence.splits.discovery)
    expect(evidence.splits.validation.some(id => discovery.has(id))).toBe(false)
    const claims = Claims.parse(JSON.parse(await readFile(join(directory, 'claims.json'), 'utf8')))
    expect(claims.claims).toEqual(evidence.features.map(({ claim }) => claim))
    for (const { claim } of evidence.features)
      for (const id of [...claim.documents.ablate, ...claim.documents.steer])
        expect(evidence.splits.validation).toContain(id)
    // 10 documents: sham, feature and controls of two kinds ablated; 5 doses and so many of the controls steered as the intervention
    // that no verdict rests on is given. Tied ones have their own.
    const effects = [...(await readEffects(directory))]
    expect(effects.filter(({ control }) => control !== 'tied')).toHaveLength(
      2 * 10 * (1 + 1 + 2 * count + 5 + 2 * Math.min(count, secondaryControls)),
    )
    const tied = new Set(effects.filter(({ control }) => control === 'tied').map(({ controlId }) => controlId))
    expect(tied.size).toBeGreaterThan(0.8 * count)
    expect(metrics.records.map(({ kind }) => kind)).toEqual(['reconstruction', 'latent', 'latent'])
    expect([...evidenceByLatent(evidence).keys()]).toEqual([0, 1])
    expect(evidence.features[0]!.robustness.map(({ field, value }) => `${field}=${value}`)).toContain('half=even')
  })

  test('a changed raw value is noticed', async () => {
    const directory = await folder()
    await cp((await runOfTwo()).directory, directory, { recursive: true })
    const text = await readFile(join(directory, 'evidence.json'), 'utf8')
    const evidence = JSON.parse(text)
    evidence.features[0].ablate.metrics.target.effect.mean *= 1.01
    await writeFile(join(directory, 'evidence.json'), JSON.stringify(evidence))
    expect(await verifyEvidence(directory)).toEqual(['features.0.ablate.metrics.target.effect.mean'])
  })

  test('an interrupted run goes on and ends with the same bytes', async () => {
    const config = two
    const whole = await bytesOf((await runOfTwo()).directory)
    const directory = await folder()
    for (const stopAfter of [3, 25, 15]) {
      const controller = new AbortController()
      let updates = 0
      const progress = { ...silent, update: () => ++updates === stopAfter && controller.abort() }
      const context = { directory, seed: 3, progress, signal: controller.signal, metrics: memoryMetrics() }
      await expect(validate(context, { model, sae, dataset, config })).rejects.toThrow(InterruptedError)
      expect(existsSync(join(directory, 'evidence.json'))).toBe(false)
    }
    await writeFile(join(directory, 'evidence.json.1.partial'), 'half')
    await run({ config }, directory)
    expect(await bytesOf(directory)).toEqual(whole)
  })
})

describe('gates and errors', () => {
  test('gates hold what is finished to thresholds', async () => {
    const { evidence } = await runOfTwo()
    const judged = (gates: GatesConfig) => judgeGates(gates, evidence)
    expect(judged({})).toEqual([])
    expect(judged({ minimumPassed: 2 })).toEqual([{ name: 'minimumPassed', status: 'pass', value: 2, threshold: 2 }])
    expect(judged({ minimumPassed: 3 })[0]!.status).toBe('fail')
    expect(judged({ maximumFvu: 1e-9 })).toEqual([
      { name: 'maximumFvu', status: 'fail', value: evidence.reconstruction.fvu, threshold: 1e-9 },
    ])
    const unknown = { ...evidence, reconstruction: { ...evidence.reconstruction, ceRecoveredMean: null } }
    expect(judgeGates({ minimumCeRecovered: 0.5 }, unknown)[0]).toMatchObject({ status: 'inconclusive', value: null })
  })

  test('names a latent that does not exist, and text that is missing', async () => {
    await expect(run({ config: ValidateConfig.parse({ ...settings, latents: [999] }) })).rejects.toThrow(
      'latents names 999, but the SAE has 200 latents.',
    )
    const none = { ...dataset, windows: dataset.windows.filter(({ split }) => split !== 'validation') }
    await expect(run({ dataset: none })).rejects.toThrow(UserError)
  })

  test('a latent that is silent on validation text is not run', async () => {
    const silentOn = {
      ...dataset,
      windows: dataset.windows.filter(
        ({ split, tokens }) => split !== 'validation' || !tokens.some(token => token >= 9 && token < 13),
      ),
    }
    const { evidence } = await run({
      dataset: silentOn,
      config: ValidateConfig.parse({ ...settings, latents: [0], claims: 'firing' }),
    })
    expect(evidence.features[0]).toMatchObject({ verdict: 'not-run', ablate: null, steer: null })
  })
})
