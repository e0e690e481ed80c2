import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { Random } from '../../core/random.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { toyworldModelDirectory } from '../../datasets/toyworld/index.ts'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { encodeWindows, valuesOf } from '../../latents/activations.ts'
import { fakeDataset, fakeModel, fakeSae, modelWidth } from '../../latents/fake.fixture.ts'
import { encodeValues, recentre, siteValues } from '../../latents/projections.ts'
import { loadModel } from '../../model/load.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import type { Material } from '../claims/plan.ts'
import { ValidateConfig } from '../config.ts'
import { type BaselineName, baselineNames } from '../contracts/baselines.ts'
import { type BaselineClaim, judgeBaselines, passes } from '../judging/baselines.ts'
import { readText } from '../read-text.ts'
import { planLatents } from '../test-latents.ts'
import type { BaselineSource } from './baseline.ts'
import { baselines } from './index.ts'
import { densitiesOf, thresholdsOf } from './made.ts'
import { principalDirections } from './pca.ts'
import { derangement } from './shuffled-decoder.ts'

let model: Model
let sae: Sae
let material: Material
let source: BaselineSource
const dataset = fakeDataset(120)
const signal = new AbortController().signal
const context = { directory: '', seed: 3, progress: silent, signal, metrics: memoryMetrics() }

beforeAll(async () => {
  await startEngine()
  model = fakeModel()
  sae = fakeSae()
  const config = ValidateConfig.parse({ latents: [0, 1, 2], documents: 6, tokens: 2000 })
  const windows = (split: string) => dataset.windows.filter(window => window.split === split)
  const inputs = { model, sae, dataset, config }
  const read = await readText(context, inputs, {
    discovery: windows('discovery'),
    validation: windows('validation'),
    outOfDistribution: [],
  })
  material = planLatents(inputs, read).material
  const centre = new Float32Array(modelWidth)
  source = {
    ...{ context, material, centre, values: material.tied.discovery, training: windows('train') },
    ...{ tokens: 2000, repetition: 0 },
  }
})
afterAll(() => {
  model.dispose()
  sae.dispose()
})

describe('every baseline', () => {
  // The hand-made model has no file to load with shuffled weights; the built-in one does below.
  for (const name of baselineNames.filter(one => one !== 'untrained-model')) {
    test(`${name}: an SAE of the same place, the same from the same seed, that leaves no tensor behind`, async () => {
      const before = tf.memory().numTensors
      const decoders: Float32Array[] = []
      for (const repetition of [0, 0, 1]) {
        const made = await baselines[name].make({ ...source, repetition })
        expect(made.sae.width).toBe(modelWidth)
        expect(made.sae.metadata.hook_name).toBe(sae.metadata.hook_name)
        expect(made.sae.latents).toBeLessThanOrEqual(Math.max(sae.latents, 2 * modelWidth))
        const decoder = made.sae.decoder()
        decoders.push((decoder.dataSync() as Float32Array).slice())
        decoder.dispose()
        made.dispose()
      }
      expect(tf.memory().numTensors).toBe(before)
      expect(decoders[1]).toEqual(decoders[0])
      if (baselines[name].drawn) expect(decoders[2]).not.toEqual(decoders[0])
    })
  }

  test('has a name in the contracts and a text of its own', () => {
    expect(Object.keys(baselines).sort()).toEqual([...baselineNames].sort())
    expect(new Set(Object.values(baselines).map(({ text }) => text)).size).toBe(baselineNames.length)
  })

  test('that is made by thresholds fires as densely as the SAE under test', async () => {
    const made = await baselines.random.make(source)
    const found = encodeValues(made.sae, source.values, source.centre)
    const own = Array.from({ length: made.sae.latents }, (_, i) => valuesOf(found, i).length / found.tokens)
    const wanted = densitiesOf(material)
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    expect(mean(own)).toBeGreaterThan(0.8 * mean(wanted))
    expect(mean(own)).toBeLessThan(1.1 * mean(wanted))
    made.dispose()
  })
})

describe('baselines that learn', () => {
  test('keep what is frozen as it was drawn, and read what they learned: FVU below that of random directions', async () => {
    const fvuOf = (made: Sae) =>
      tf.tidy(() => {
        const { values, tokens, width } = source.values
        const x = tf.tensor2d(values, [tokens, width]) as Tensor2D
        const error = x.sub(made.reconstruct(x)).square().sum()
        return error.div(x.sub(x.mean(0)).square().sum()).dataSync()[0]!
      })
    const random = await baselines.random.make(source)
    const chance = fvuOf(random.sae)
    random.dispose()
    for (const name of ['frozen-decoder', 'frozen-encoder'] as const) {
      const made = await baselines[name].make({ ...source, tokens: 20_000 })
      expect(made.sae.architecture).toBe('topk')
      expect(fvuOf(made.sae)).toBeLessThan(Math.min(0.9, chance))
      made.dispose()
    }
  }, 30_000)

  test('the model with shuffled weights has the entries of each matrix in another order, and its gains as they are', async () => {
    const path = toyworldModelDirectory()
    const [own, shuffled, again] = [
      await loadModel(path),
      await loadModel(path, { shuffled: 1 }),
      await loadModel(path, { shuffled: 1 }),
    ]
    expect(new Set([own, shuffled, again].map(({ hash }) => hash)).size).toBe(2)
    for (const [name, weight] of Object.entries(own.weights)) {
      const values = (of: Model) => of.weights[name]!.dataSync() as Float32Array
      // Matchers take seconds of a million numbers; bytes are compared at once.
      const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength)
      const same = (a: Float32Array, b: Float32Array) => bytes(a).equals(bytes(b))
      expect(same(values(again), values(shuffled)), name).toBe(true)
      expect(same(values(shuffled), values(own)), name).toBe(weight.rank < 2)
      expect(same(values(shuffled).slice().sort(), values(own).slice().sort()), name).toBe(true)
    }
    for (const one of [own, shuffled, again]) one.dispose()
  })
})

describe('the parts', () => {
  test('a derangement leaves no latent its row, and deals every row once', () => {
    const order = derangement(50, new Random(1))
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(order.every((from, to) => from !== to)).toBe(true)
  })

  test('a threshold is exceeded by its share of the tokens', () => {
    const projections = {
      windows: [],
      tokens: 10,
      directions: 2,
      values: Float32Array.from({ length: 20 }, (_, i) => i % 10),
    }
    expect([...thresholdsOf(projections, [0.2, 0])]).toEqual([7, 9])
  })

  test('principal directions are those of values whose axes are known, by falling variance', () => {
    // Three orthogonal directions in 4 dimensions with deviations 3, 2, 1: x = Σ dᵢ gᵢ uᵢ.
    const units = [
      [0.5, 0.5, 0.5, 0.5],
      [0.5, -0.5, 0.5, -0.5],
      [0.5, 0.5, -0.5, -0.5],
    ]
    const random = new Random('pca')
    const tokens = 20_000
    const values = new Float32Array(tokens * 4)
    for (let t = 0; t < tokens; t++)
      units.forEach((unit, i) => {
        const g = (3 - i) * random.normal()
        unit.forEach((x, j) => {
          values[t * 4 + j]! += g * x
        })
      })
    const found = principalDirections({ windows: [], tokens, width: 4, values, read: values }, 3)
    units.forEach((unit, i) => {
      const cosine = unit.reduce((sum, x, j) => sum + x * found[i * 4 + j]!, 0)
      expect(Math.abs(cosine)).toBeGreaterThan(0.999)
    })
  })

  const line = new Random('line').normals(12)
  test.each([
    ['hardly vary but along one direction', 12, (z, j) => 1000 * z() * line[j]! + 1e-3 * z(j)],
    ['vary along one direction alone', 12, (z, j) => z() * (j + 1)],
    ['are the same in each of their places', 3, z => z()],
    ['vary in each place by a tenth of the place before', 12, (z, j) => z(j) * 10 ** -j],
    ['do not vary', 12, () => 0],
  ] as readonly (readonly [string, number, (z: (of?: number) => number, place: number) => number])[])(
    'principal directions are at right angles and of length 1 also where values %s',
    (_, width, varying) => {
      const tokens = 200
      const values = Float32Array.from({ length: tokens * width }, (_, i) => {
        const token = Math.floor(i / width)
        return varying(of => new Random('values', token, of ?? 'all').normal(), i % width)
      })
      const found = principalDirections({ windows: [], tokens, width, values, read: values }, width)
      for (let i = 0; i < width; i++)
        for (let k = 0; k <= i; k++) {
          let dot = 0
          for (let j = 0; j < width; j++) dot += found[i * width + j]! * found[k * width + j]!
          expect({ i, k, off: Math.abs(dot - (i === k ? 1 : 0)) < 1e-6 }).toEqual({ i, k, off: true })
        }
    },
  )

  test('latents of values at the site are those of the text itself, whatever centre the values are less of', async () => {
    const windows = dataset.windows.slice(0, 30)
    const options = { batchTokens: 4096, signal }
    const direct = await encodeWindows(model, sae, windows, options)
    const centre = new Random('centre').normals(modelWidth)
    const values = await siteValues(model, sae.metadata.hook_name, windows, new Float32Array(modelWidth), options)
    const again = encodeValues(sae, recentre(values, new Float32Array(modelWidth), centre), centre)
    expect(again.offsets).toEqual(direct.offsets)
    expect(again.window).toEqual(direct.window)
    expect(again.position).toEqual(direct.position)
    for (const [i, value] of direct.value.entries()) expect(again.value[i]).toBeCloseTo(value, 4)
  })
})

describe('shares', () => {
  const settings = {
    ...ValidateConfig.parse({ claims: 'firing' }),
    ...{ fields: [], strata: {}, seed: 0 },
  }
  const texts = Object.fromEntries(baselineNames.map(name => [name, name])) as Record<BaselineName, string>
  /** A claim whose effect is −1 in each of 8 documents, or none, against 99 controls about 0. */
  const claimOf = (latent: number, effect: number, parts: Partial<BaselineClaim> = {}): BaselineClaim => {
    const random = new Random('claim', latent)
    const documents = Array.from({ length: 8 }, (_, d) => `document-${d}`)
    const noise = (count: number) => [...random.normals(count, 0.05)]
    return {
      ...{ baseline: 'random', repetition: 0, latent, concept: null, intervention: 'ablate', dose: 0, documents },
      ...{ own: noise(8).map(x => effect + x), tied: noise(99), random: noise(99 * 8), foreign: noise(99 * 8) },
      ...{ asked: [99, 99, 99], auroc: null, aurocLow: null, aurocHigh: null, aurocP: null, shuffles: 0 },
      ...parts,
    }
  }

  test('a claim passes by the rule of all verdicts: beyond every kind of control, and not where one is missing', () => {
    expect(passes([claimOf(0, -1), claimOf(1, 0), claimOf(2, 1)], settings)).toEqual([true, false, false])
    expect(passes([claimOf(0, -1, { tied: claimOf(0, -1).tied.slice(0, 10) })], settings)).toEqual([false])
    expect(passes([claimOf(0, -1, { foreign: [] })], settings)).toEqual([false])
    expect(passes([claimOf(0, -1, { concept: 'a' })], settings)).toEqual([false])
    const told = { concept: 'a', auroc: 0.95, aurocLow: 0.9, aurocHigh: 1, aurocP: 0.01, shuffles: 99 }
    expect(passes([claimOf(0, -1, told)], settings)).toEqual([true])
    expect(passes([claimOf(0, -1, { ...told, aurocLow: 0.6 })], settings)).toEqual([false])
  })

  test('8 of 8 claims against 0 of 4 are ahead by Newcombe’s interval [.412, 1]', () => {
    const rows = [0, 1, 2, 3].map(latent => claimOf(latent, 0))
    const found = judgeBaselines(rows, new Array(8).fill('pass'), texts, settings)!
    // Wilson: 8/8 [.67557, 1], 0/4 [0, .48989]; 1 − √(.32443² + .48989²).
    expect(found.baselines[0]!.low).toBeCloseTo(0.41242, 4)
    expect(found.baselines[0]!.high).toBeCloseTo(1, 6)
    expect(found.ahead).toBe('yes')
    expect(found.summary).toBe('ahead: 8 of 8 claims pass, and 0 of 4 of baselines: random (0 of 4)')
  })

  test('several baselines together tell what each has too few claims for, but hide none that is level', () => {
    const none = (['random', 'pca', 'shuffled-decoder'] as const).flatMap(baseline =>
      [0, 1, 2, 3].map(latent => claimOf(latent, 0, { baseline })),
    )
    const own = ['pass', 'pass', 'pass', 'fail', 'fail', 'fail', 'fail', 'fail']
    const found = judgeBaselines(none, own, texts, settings)!
    expect(found.baselines.map(({ ahead }) => ahead)).toEqual(['undecided', 'undecided', 'undecided'])
    // Wilson: 3/8 [.13684, .69426], 0/12 [0, .24249]; .375 − √(.23816² + .24249²).
    expect(found.together.low).toBeCloseTo(0.03511, 4)
    expect(found.ahead).toBe('yes')
    const level = none.map(row =>
      row.baseline === 'pca' ? claimOf(row.latent, row.latent < 2 ? -1 : 0, { baseline: 'pca' }) : row,
    )
    const better = judgeBaselines(level, own, texts, settings)!
    expect(better.ahead).toBe('undecided')
    expect(better.summary).toMatch(/; as large a share of pca$/)
  })

  test('a level share decides nothing by few claims, and says so by many', () => {
    const rows = [claimOf(0, -1), claimOf(1, -1), claimOf(2, 0), claimOf(3, 0, { repetition: 1 })]
    const few = judgeBaselines(rows, ['pass', 'fail', 'fail'], texts, settings)!
    // Wilson: 1/3 [.0615, .7923], 2/4 [.1500, .8500]; −.1667 + √(.459² + .35²) = .410.
    expect(few.baselines[0]!.high).toBeCloseTo(0.4105, 3)
    expect(few.ahead).toBe('undecided')
    expect(few.baselines[0]).toMatchObject({ claims: 4, passed: 2, repetitions: [{ passed: 2 }, { claims: 1 }] })
    expect(few.summary).toBe(
      'not shown to be ahead: 1 of 3 claims pass, and 2 of 4 of baselines, too few to tell: random (2 of 4); as large a share of each of them',
    )
    const none = new Array<string>(60).fill('fail')
    const many = judgeBaselines(rows, none, texts, settings)!
    // Wilson: 0/60 [0, .0602]; −.5 + √(.0602² + .35²) = −.145.
    expect(many.ahead).toBe('no')
    expect(many.summary).toBe('NOT AHEAD: 0 of 60 claims pass; no more than of random (2 of 4)')
  })

  test('with too few claims it cannot be told', () => {
    const open = judgeBaselines([claimOf(0, 0)], ['pass', 'fail'], texts, settings)!
    expect(open.ahead).toBe('undecided')
    expect(open.summary).toBe(
      'not shown to be ahead: 1 of 2 claims pass, and 0 of 1 of baselines, too few to tell: random (0 of 1)',
    )
    expect(judgeBaselines([claimOf(0, 0)], [], texts, settings)).toBeNull()
  })
})
