import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { Random } from '../../core/random.ts'
import { memoryMetrics, type StageContext } from '../../core/stage.ts'
import { startEngine } from '../../engine/engine.ts'
import { Sampler, seedWords } from '../../engine/ops/truth/sample.ts'
import { tf } from '../../engine/tf.ts'
import { openSae } from '../formats/index.ts'
import { makeSae } from '../make.ts'
import { truthPresets } from './config.ts'
import { randomRows } from './dictionary.ts'
import { TruthMeter } from './quality.ts'
import { resolveTruth, TruthConfig } from './settings.ts'
import { type TruthSummary, truthStage } from './stage.ts'
import { makeWorld } from './world.ts'

const folders: string[] = []

async function contextOf(signal = new AbortController().signal) {
  const directory = await mkdtemp(join(tmpdir(), 'truth-'))
  folders.push(directory)
  return { directory, seed: 4, progress: silent, signal, metrics: memoryMetrics() }
}

/** Every file of a run and its bytes. */
async function filesOf(directory: string): Promise<Record<string, Buffer>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  const read = async (path: string) => [path.slice(directory.length), await readFile(path)] as const
  return Object.fromEntries(await Promise.all(paths.sort().map(read)))
}

const quick = TruthConfig.parse({
  samples: 20_480,
  evaluateEvery: 8192,
  evaluationSamples: 1000,
  finalSamples: 2000,
  checkpointEvery: 4096,
})

beforeAll(() => startEngine())
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

test('the short protocol is the published one but for its length, its rate and when a latent is dead', () => {
  const short = resolveTruth(TruthConfig.parse({ preset: 'synthsaebench-16k-short' }))
  const settings = { schedule: 'linear', warmUp: 0.005, decay: 0.3, deadAfterTokens: 10_240 }
  const published = { preset: 'synthsaebench-16k', samples: 40_000_000, learningRate: 1e-3, settings }
  expect(short).toEqual(resolveTruth(TruthConfig.parse(published)))
  const { trainings } = resolveTruth(TruthConfig.parse({ preset: 'synthsaebench-16k' }))
  expect(trainings[0]).toMatchObject({ schedule: 'constant', learningRate: 3e-4, deadAfterTokens: 1_024_000 })
  expect(trainings[1]).toMatchObject({ architecture: 'matryoshka', auxPerLevel: true, widths: [128, 512, 2048] })
})

describe('SAEs that learn a known world', () => {
  let whole: Awaited<ReturnType<typeof contextOf>>
  let summary: TruthSummary

  beforeAll(async () => {
    whole = await contextOf()
    const before = tf.memory().numTensors
    summary = await truthStage(whole, quick)
    expect(tf.memory().numTensors).toBe(before)
  })

  test('leave their files, a curve and figures', async () => {
    const names = Object.keys(await filesOf(whole.directory))
    const each = (name: string) =>
      ['cfg.json', 'sae_weights.safetensors', 'sparsity.safetensors'].map(f => `/${name}/${f}`)
    expect(names).toEqual(
      [...each('batchtopk'), '/dictionary.safetensors', ...each('matryoshka'), '/truth.json'].sort(),
    )
    expect(whole.metrics.records.map(({ samples, architecture }) => [samples, architecture])).toEqual(
      [8192, 16_384, 20_480].flatMap(samples => ['batchtopk', 'matryoshka'].map(name => [samples, name])),
    )
    const result = summary.results[1]!
    expect(result).toMatchObject({ architecture: 'matryoshka', samples: 20_480, measured: 2000 })
    const sae = await openSae(join(whole.directory, 'matryoshka'))
    expect(sae.latents).toBe(128)
    sae.dispose()
  })

  test('a run that is cut goes on to the same bytes', async () => {
    // The engine's own clock decides nothing: the signal comes at the third line of metrics.
    const stop = new AbortController()
    const cut = await contextOf(stop.signal)
    const append = cut.metrics.append.bind(cut.metrics)
    cut.metrics.append = record => {
      append(record)
      if (cut.metrics.lines === 3) stop.abort()
    }
    await expect(truthStage(cut, quick)).rejects.toThrow('Training stopped after 16384 of 20480 samples')
    expect(Object.keys(await filesOf(cut.directory)).some(name => name.includes('checkpoints'))).toBe(true)
    const resumed: StageContext = { ...cut, signal: new AbortController().signal }
    await truthStage(resumed, quick)
    expect(cut.metrics.records).toEqual(whole.metrics.records)
    expect(await filesOf(cut.directory)).toEqual(await filesOf(whole.directory))
  })

  test('an SAE beside another ends in the bytes it would have alone', async () => {
    const alone = await contextOf()
    await truthStage(alone, { ...quick, architecture: ['matryoshka'] })
    const [one, both] = [await filesOf(alone.directory), await filesOf(whole.directory)]
    expect(one['/matryoshka/sae_weights.safetensors']).toEqual(both['/matryoshka/sae_weights.safetensors'])
    expect(alone.metrics.records).toEqual(whole.metrics.records.filter(record => record.architecture === 'matryoshka'))
  })

  test('every architecture that reads one site can learn one', async () => {
    const rest = ['topk', 'jumprelu', 'gated', 'standard', 'p-anneal'].filter(
      name => TruthConfig.shape.architecture.safeParse([name]).success,
    )
    expect(rest.length).toBeGreaterThan(3)
    const { results } = await truthStage(await contextOf(), { ...quick, architecture: rest, samples: 2048 })
    for (const result of results) expect(result.mcc, result.architecture).toBeGreaterThan(0.1)
  })

  test('settings reach the architectures that have them, and no others', () => {
    const { trainings, steps } = resolveTruth(
      TruthConfig.parse({ ...quick, k: 3, settings: { auxCoefficient: 0.5, widths: [8], beta1: 0.5 } }),
    )
    expect(steps).toBe(40)
    expect(trainings[0]).toMatchObject({ architecture: 'batchtopk', k: 3, auxCoefficient: 0.5, beta1: 0.5, warmUp: 0 })
    expect(trainings[0]).not.toHaveProperty('widths')
    expect(trainings[1]).toMatchObject({ architecture: 'matryoshka', widths: [8] })
    expect(() => resolveTruth({ ...quick, architecture: ['topk', 'topk'] })).toThrow('names topk twice')
    expect(() => resolveTruth({ ...quick, settings: { decai: 1 } })).toThrow('settings has no key decai')
    expect(() => resolveTruth({ ...quick, settings: { auxK: -1 } })).toThrow('auxK is -1')
  })
})

test('BatchTopK finds features of the small world that an untrained SAE does not have', async () => {
  const config = TruthConfig.parse({ architecture: ['batchtopk'], samples: 256_000, evaluateEvery: 256_000 })
  const context = await contextOf()
  const { results } = await truthStage(context, config)
  const untrained = await truthStage(await contextOf(), { ...config, samples: 512, finalSamples: 10_000 })
  expect(results[0]!.mcc).toBeGreaterThan(0.6)
  expect(results[0]!.f1).toBeGreaterThan(0.35)
  expect(untrained.results[0]!.mcc).toBeLessThan(0.45)
  expect(untrained.results[0]!.f1).toBeLessThan(0.2)
})

test('a perfect SAE scores 1, and one with random directions little', async () => {
  // More room than features, and one feature at a time, so that a linear encoder can tell them apart.
  const width = 64
  const world = { ...truthPresets.small.world, features: 32, width, roots: 0, rank: 0, bias: 0 }
  const eye = Float32Array.from({ length: 32 * width }, (_, n) => (n % width === Math.floor(n / width) ? 1 : 0))
  const { tables } = makeWorld(world, 0, { directions: eye, bias: new Float32Array(width) })
  const sampler = new Sampler(tables)
  const directions = tf.tensor2d(tables.directions, [32, width])
  const scores = [tables.directions, randomRows(32, width, new Random(1))].map(decoder => {
    const wDec = tf.tensor2d(decoder, [32, width])
    const params = { W_enc: tf.transpose(wDec), b_enc: tf.zeros([32]), W_dec: wDec, b_dec: tf.zeros([width]) }
    const sae = makeSae({ architecture: 'standard', config: {}, metadata: { hook_name: '' }, params })
    const meter = new TruthMeter(sae, directions)
    const { rows, fired } = sampler.draw(seedWords(1), 0, 2000)
    meter.add(rows, fired)
    rows.dispose()
    sae.dispose()
    return meter.result()
  })
  expect(scores[0]!.mcc).toBeCloseTo(1, 5)
  expect(scores[0]!.uniqueness).toBe(1)
  expect(scores[0]!.f1).toBeCloseTo(1, 9)
  expect(scores[0]!.explainedVariance).toBeCloseTo(1, 5)
  expect(scores[0]!.l0).toBe(scores[0]!.trueL0)
  expect(scores[1]!.mcc).toBeLessThan(0.4)
  expect(scores[1]!.f1).toBeLessThan(0.4)
  expect(scores[1]!.explainedVariance).toBeLessThan(0.9)
  directions.dispose()
  sampler.dispose()
})
