import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { fakeDataset, fakeModel, fakeSae, modelWidth, vocabularySize } from '../../latents/fake.fixture.ts'
import type { Model } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import { differenceOfMeans } from '../supervised/difference-of-means.ts'
import { gradient, windowGradient } from '../supervised/gradient.ts'
import { fitProbe } from '../supervised/probe.ts'
import type { Labelled } from '../supervised/supervised.ts'
import { benchOf, contractSettings, settingsOf, type Tested, testedBy } from './bench.fixture.ts'
import { ceiling } from './ceiling.ts'
import { promptEffect } from './prompt.ts'
import { keepsTheContract } from './study.contract.ts'
import type { StudyContext } from './study.ts'

const dataset = fakeDataset(120)
const cosines = [1, 0.7, 0.5, 0.3, 0.1]
let model: Model
let sae: Sae
const benches: StudyContext[] = []
const tested: Tested<typeof ceiling>[] = []
let leaks = 0

/** The SAE with the decoder row of latent 0 mixed with a direction orthogonal to it. */
function mixed(cosine: number): Sae {
  const decoder = sae.decoder()
  const rows = (decoder.dataSync() as Float32Array).slice()
  decoder.dispose()
  const own = rows.slice(0, modelWidth)
  const noise = new Random('noise').normals(modelWidth)
  const along = noise.reduce((sum, x, j) => sum + x * own[j]!, 0)
  const rest = noise.map((x, j) => x - along * own[j]!)
  const norm = Math.hypot(...rest)
  for (let j = 0; j < modelWidth; j++) rows[j] = cosine * own[j]! + (Math.sqrt(1 - cosine ** 2) * rest[j]!) / norm
  return { ...sae, decoder: () => tf.tensor2d(rows.slice(), [sae.latents, modelWidth]) as Tensor2D }
}

beforeAll(async () => {
  await startEngine()
  model = fakeModel()
  sae = fakeSae()
  for (const cosine of cosines) benches.push(await benchOf(model, mixed(cosine), dataset, { latents: [0, 1] }))
  const before = tf.memory().numTensors
  for (const bench of benches) tested.push(await testedBy(ceiling, bench))
  leaks = tf.memory().numTensors - before
})
afterAll(() => {
  model.dispose()
  sae.dispose()
})

const foundIn = (i: number) => ceiling.judge(tested[i]!, settingsOf(benches[i]!))[0]!
const shareOf = (i: number, method: string) =>
  foundIn(i).methods.find(one => one.method === method && one.intervention === 'ablate')!.share!

describe('a planted direction mixed with noise', () => {
  test('is a share of the ceiling that falls with its cosine, and the interval with it', () => {
    const shares = cosines.map((_, i) => foundIn(i).share!.ratio)
    // The planted direction is no more than .71 of the best one: the readout is noisy, and siblings weigh on the other side.
    expect(shares[0]).toBeGreaterThan(0.65)
    expect(shares[0]).toBeLessThanOrEqual(1.001)
    for (let i = 1; i < shares.length; i++) expect(shares[i]).toBeLessThan(shares[i - 1]!)
    // The model is linear, so that the part along the planted direction counts, and the rest little.
    cosines.forEach((cosine, i) => {
      expect(Math.abs(shares[i]! - cosine * shares[0]!)).toBeLessThan(0.2)
      const { low, high } = foundIn(i).share!
      expect(low).toBeLessThanOrEqual(shares[i]!)
      expect(high).toBeGreaterThanOrEqual(shares[i]!)
    })
    expect(foundIn(3).share!.high).toBeLessThan(foundIn(0).share!.low)
  })

  test('against the gradient has its cosine with U w as its share, since the target is linear in the value', () => {
    const unembedding = model.unembedding()
    const u = unembedding.dataSync() as Float32Array
    unembedding.dispose()
    const { target } = benches[0]!.plans[0]!
    const ideal = Float64Array.from({ length: modelWidth }, (_, j) =>
      target.weights.reduce((sum, w, v) => sum + w * u[j * vocabularySize + v]!, 0),
    )
    cosines.forEach((_, i) => {
      const row = benches[i]!.material.decoder.subarray(0, modelWidth)
      const cosine = row.reduce((sum, x, j) => sum + x * ideal[j]!, 0) / (Math.hypot(...row) * Math.hypot(...ideal))
      expect(shareOf(i, 'gradient').ratio).toBeCloseTo(cosine, 3)
      const found = foundIn(i).methods.find(({ method }) => method === 'gradient')!
      expect(found.cosine).toBeCloseTo(cosine, 4)
    })
  })

  test('is measured with the supervised directions on the same documents at the same norm, and leaves no tensor', () => {
    expect(leaks).toBe(0)
    for (const { rows } of tested[0]!)
      for (const row of rows.filter(({ method }) => method !== 'prompt')) {
        const latent = rows.find(
          one => one.method === 'latent' && one.window === row.window && one.intervention === row.intervention,
        )!
        expect(row.norm as number).toBeCloseTo(latent.norm as number, 4)
      }
    expect(new Set(tested[0]![0]!.rows.map(({ method }) => method))).toEqual(
      new Set(['latent', 'difference-of-means', 'probe', 'gradient', 'prompt']),
    )
  })
})

describe('supervised directions', () => {
  const values = { windows: [], tokens: 4, width: 2, values: Float32Array.of(0, 0, 2, 0, 0, 4, 2, 8) }

  test('the difference of means is that of a hand example, and there is none without both classes', () => {
    const learn = (labels: number[]) =>
      differenceOfMeans.learn({ values, labels: Uint8Array.from(labels) } as unknown as Labelled)
    // Labelled rows (0, 4), (2, 8): mean (1, 6); others (0, 0), (2, 0): mean (1, 0).
    expect([...learn([0, 0, 1, 1])!]).toEqual([0, 6])
    expect(learn([0, 0, 0, 0])).toBeUndefined()
    expect(learn([1, 1, 1, 1])).toBeUndefined()
  })

  test('a probe is where the objective’s gradient, computed apart in float64, is zero', () => {
    const random = new Random('probe')
    const rows = 400
    const labels = Uint8Array.from({ length: rows }, () => (random.uniform() < 0.2 ? 1 : 0))
    const x = Float32Array.from({ length: rows * 3 }, (_, i) => {
      const label = labels[Math.floor(i / 3)]!
      return (i % 3 === 0 ? 2 * label : 0) + (i % 3 === 1 ? -label : 0) + (i % 3 === 2 ? 5 : 1) * random.normal() + 10
    })
    const w = fitProbe(x, labels, 3)
    const means = [0, 1, 2].map(j => labels.reduce((sum, _, r) => sum + x[r * 3 + j]!, 0) / rows)
    const scale = Math.sqrt(x.reduce((sum, value, i) => sum + (value - means[i % 3]!) ** 2, 0) / x.length)
    const inside = labels.reduce((sum, label) => sum + label, 0)
    // The intercept by bisection: with it right, the class-weighted residuals sum to zero.
    const residuals = (b: number) =>
      Array.from(labels, (label, r) => {
        const z = [0, 1, 2].reduce((sum, j) => sum + (w[j]! * (x[r * 3 + j]! - means[j]!)) / scale, b)
        return (rows / (2 * (label === 1 ? inside : rows - inside))) * (1 / (1 + Math.exp(-z)) - label)
      })
    let [low, high] = [-20, 20]
    for (let i = 0; i < 100; i++) {
      const middle = (low + high) / 2
      if (residuals(middle).reduce((sum, value) => sum + value, 0) < 0) low = middle
      else high = middle
    }
    const left = residuals(low)
    for (const j of [0, 1, 2]) {
      const slope = left.reduce((sum, value, r) => sum + (value * (x[r * 3 + j]! - means[j]!)) / scale, w[j]!)
      expect(Math.abs(slope)).toBeLessThan(0.02)
    }
    expect(w[0]).toBeGreaterThan(1)
    expect(w[1]).toBeLessThan(-0.5)
    expect(Math.abs(w[2]!)).toBeLessThan(0.5)
  })

  test('the gradient is U w at every labelled token of a linear model, whatever the window', () => {
    const { weights } = benches[0]!.plans[0]!.target
    const unembedding = model.unembedding()
    const u = unembedding.dataSync() as Float32Array
    unembedding.dispose()
    const found = windowGradient(model, sae.metadata.hook_name, Int32Array.of(0, 3, 9, 4), [1, 2], weights)
    for (let j = 0; j < modelWidth; j++) {
      const expected = weights.reduce((sum, w, v) => sum + w * u[j * vocabularySize + v]!, 0)
      expect(found[j]).toBeCloseTo(2 * expected, 4)
    }
    const { material, plans } = benches[0]!
    const labels = new Uint8Array(material.tied.discovery.tokens)
    expect(
      gradient.learn({ material, target: plans[0]!.target, values: material.tied.discovery, labels }),
    ).toBeUndefined()
  })
})

test('a prompt’s effect is what its tokens do to the document’s own positions: counts of tokens, in a model that counts', () => {
  // Logits of a position are how often each token stood up to it, so that a prompt adds its counts at every position.
  const counting: Model = {
    ...model,
    run: tokens => tf.tidy(() => tf.oneHot(tokens, vocabularySize).cast('float32').cumsum(1) as Tensor3D),
  }
  const material = { ...benches[0]!.material, model: counting }
  const window = dataset.windows.at(0)!
  const weights = new Float32Array(vocabularySize)
  weights[5] = 1
  weights[6] = -1
  const filler = [1, 1, 1, 1, 1, 1, 1, 1]
  const labelled = [5, 5, 5, 6, 1, 1, 1, 1]
  expect(promptEffect(material, window, { labelled, other: filler }, weights)).toBeCloseTo(2, 4)
  expect(promptEffect(material, window, { labelled: filler, other: filler }, weights)).toBe(0)
  const short = { ...material, model: { ...counting, config: { ...model.config, context: 9 } } }
  expect(promptEffect(short, window, { labelled, other: filler }, weights)).toBeUndefined()
})

describe('the contract', () => {
  keepsTheContract(
    ceiling,
    [
      {
        claim: { feature: 3, primary: 'ablate', dose: 1 } as never,
        rows: ['latent', 'probe', 'gradient'].flatMap((method, m) =>
          [1, 2, 3, 4].map(d => ({
            ...{ intervention: 'ablate', method, cosine: 1 - m / 10, document: `d${d}`, window: `d${d}` },
            ...{ norm: 1, target: -(1 + m + d / 10), kl: 0.1 },
          })),
        ),
        effects: [],
        evidence: {} as never,
      },
    ],
    contractSettings,
  )
})
