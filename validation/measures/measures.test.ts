/** Measures of SAEs whose right values are known: the hand-made one, one that learned nothing, one that absorbs, one that splits. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { Random } from '../../core/random.ts'
import { memoryMetrics } from '../../core/stage.ts'
import type { TokenDataset } from '../../datasets/document.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { conceptOf, fakeDataset, fakeModel, fakeSae, modelWidth } from '../../latents/fake.fixture.ts'
import { plantedModel, plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import { ValidateConfig } from '../config.ts'
import type { AbsorptionFound, ProbingFound } from '../contracts/measures.ts'
import { absorption } from './absorption.ts'
import { measures } from './index.ts'
import { keepsTheContract } from './measure.contract.ts'
import type { Measure, MeasureBench, MeasureRow } from './measure.ts'
import { probing } from './probing.ts'

const signal = new AbortController().signal

function benchOf(model: Model, sae: Sae, dataset: TokenDataset, settings: Readonly<Record<string, unknown>> = {}) {
  const config = ValidateConfig.parse({ measures: { repeats: 3, concepts: 2 }, ...settings })
  const windows = (split: string) => dataset.windows.filter(window => window.split === split)
  const bench: MeasureBench = {
    context: { directory: '', seed: 4, progress: silent, signal, metrics: memoryMetrics() },
    inputs: { model, sae, dataset, config },
    windows: { discovery: windows('discovery'), validation: windows('validation') },
    pause: async () => {},
  }
  return bench
}

const measured = new Map<string, readonly MeasureRow[]>()
let trained: ProbingFound
let untrained: ProbingFound
let leaks = 0

beforeAll(async () => {
  await startEngine()
  const model = fakeModel()
  const dataset = fakeDataset(90)
  const probe = async (sae: Sae) => {
    const before = tf.memory().numTensors
    const rows = await probing.measure(benchOf(model, sae, dataset))
    leaks += tf.memory().numTensors - before
    sae.dispose()
    return rows
  }
  const rows = await probe(fakeSae())
  measured.set('probing', rows)
  trained = probing.judge(rows)!
  const random = Array.from({ length: 8 }, (_, i) => [...new Random('untrained', i).normals(modelWidth, 0.15)])
  untrained = probing.judge(await probe(plantedSae(random)))!
  model.dispose()
})
afterAll(() => expect(leaks).toBe(0))

describe('k-sparse probing', () => {
  test('one latent of the hand-made SAE tells its concept as well as all values do', () => {
    expect(trained.values.accuracy).toBeGreaterThan(0.99)
    expect(trained.latents[0]).toMatchObject({ k: 1, accuracy: trained.values.accuracy, share: 1 })
    expect(trained.concepts.every(({ level }) => level === 'token')).toBe(true)
  })

  test('one of eight random directions tells it less well, by more than repetitions differ', () => {
    const difference = trained.latents[0]!.accuracy - untrained.latents[0]!.accuracy
    expect(difference).toBeGreaterThan(0.02)
    expect(difference).toBeGreaterThan(untrained.latents[0]!.smallestReliableDifference!)
    expect(untrained.values.accuracy).toBeCloseTo(trained.values.accuracy, 6)
  })
})

/** A concept of the cues of 0 to 4, of which one cue in twenty has a latent of its own that stands for it as well. */
describe('absorption', () => {
  const child = 9 // the first cue of concept 0
  const width = 3
  const withParent = (dataset: TokenDataset): TokenDataset => ({
    ...dataset,
    concepts: ['parent'],
    documents: dataset.documents.map((document, d) => ({
      ...document,
      tokenConcepts: [...dataset.windows.at(d)!.tokens.slice(1)].map(token =>
        conceptOf(token) >= 0 && conceptOf(token) < 5 ? ['parent'] : [],
      ),
    })),
  })
  const dataset = withParent(fakeDataset(240))
  const residual = (token: number) => {
    const parent = conceptOf(token) >= 0 && conceptOf(token) < 5 ? 3 : 0
    return [parent, token === child ? 3 : 0, 0]
  }
  const found = async (sae: Sae): Promise<AbsorptionFound> => {
    const model = plantedModel(width, residual, x => tf.zeros([x.shape[0], 57]))
    const rows = await absorption.measure(benchOf(model, sae, dataset))
    if (!measured.has('absorption')) measured.set('absorption', rows)
    model.dispose()
    sae.dispose()
    return absorption.judge(rows)!
  }
  const shareOf = (split: string) => {
    const tokens = dataset.windows
      .filter(window => window.split === split)
      .flatMap(({ tokens }) => [...tokens.slice(1)])
    return (
      tokens.filter(token => token === child).length /
      tokens.filter(token => conceptOf(token) >= 0 && conceptOf(token) < 5).length
    )
  }

  test('a latent that is silent at the special cue is absorbed there, and nowhere else', async () => {
    // Latent 0 reads parent less child; latent 1 reads the child, and writes both.
    const { full, fraction, splits, mainF1, concepts } = await found(
      plantedSae(
        [
          [1, -2, 0],
          [0, 1, 0],
        ],
        [
          [1, 0, 0],
          [1, 1, 0],
        ],
      ),
    )
    const share = shareOf('validation')
    expect(share).toBeGreaterThan(0.02)
    expect(full.mean).toBeCloseTo(share, 6)
    expect(fraction.mean).toBeCloseTo(share, 6)
    expect(splits.mean).toBe(1)
    expect(mainF1.mean).toBeCloseTo((2 * (1 - share)) / (2 - share), 4)
    expect(concepts[0]).toMatchObject({ concept: 'parent', absorbers: [1] })
  })

  test('one that fires there too is not', async () => {
    const { full, fraction } = await found(
      plantedSae([unitRow(width, 0), unitRow(width, 1)], [unitRow(width, 0), unitRow(width, 1)]),
    )
    expect([full.mean, fraction.mean]).toEqual([0, 0])
  })

  test('an SAE without a latent for the concept absorbs nothing, and mainF1 says why', async () => {
    const { full, mainF1 } = await found(
      plantedSae([unitRow(width, 2), unitRow(width, 1)], [unitRow(width, 2), unitRow(width, 2)]),
    )
    expect(full.mean).toBe(0)
    expect(mainF1.mean).toBeLessThan(0.5)
  })
})

describe('every measure', () => {
  test('has a name of its own', () => {
    for (const [name, measure] of Object.entries(measures)) expect(measure.name).toBe(name)
  })
  for (const measure of [probing, absorption] as unknown as Measure[])
    keepsTheContract(measure, () => measured.get(measure.name)!)
})
