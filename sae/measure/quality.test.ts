import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { writeSafetensors } from '../../engine/safetensors.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { sharedCase } from '../../tests/shared-data.ts'
import { openSae } from '../formats/index.ts'
import { makeSae } from '../make.ts'
import { firingOf, QualityMeter, qualityDefinitions } from './quality.ts'
import { rowsOf } from './reference.ts'
import { measureRows } from './row-quality.ts'

beforeAll(() => startEngine())

/** What fired in rows of [latent, value]. */
const firing = (latents: number, rows: readonly (readonly [latent: number, value: number])[][]) =>
  firingOf({
    rows: rows.length,
    latents,

    offsets: Uint32Array.from([0, ...rows.map((_, r) => rows.slice(0, r + 1).flat().length)]),
    indices: Uint32Array.from(rows.flat(), ([latent]) => latent),
    values: Float32Array.from(rows.flat(), ([, value]) => value),
  })

describe('the figures', () => {
  test('of two rows of two, by hand', () => {
    // x = (3, 4), (1, 0) with mean (2, 2): Σ‖x − x̄‖² = 5 + 5. x̂ = (3, 3), (1, 1): ‖x − x̂‖² = 1 + 1.
    const meter = new QualityMeter({ outputs: 2, latents: 3 })
    const fired = firing(3, [
      [
        [0, 2],
        [2, -1],
      ],
      [[0, 3]],
    ])
    meter.add(Float32Array.of(3, 4, 1, 0), Float32Array.of(3, 3, 1, 1), fired)
    const found = meter.figures()
    expect(found.rows).toBe(2)
    expect(found.fvu).toBeCloseTo(0.2, 12)
    expect(found.explainedVariance).toBeCloseTo(0.8, 12)
    expect(found.mse).toBe(1)
    expect(found.msePerDimension).toBe(0.5)
    expect(found.cosine).toBeCloseTo((21 / (5 * Math.sqrt(18)) + 1 / Math.SQRT2) / 2, 12)
    expect(found.l2Ratio).toBeCloseTo((Math.sqrt(18) / 5 + Math.SQRT2) / 2, 12)
    expect(found.relativeBias).toBeCloseTo(20 / 22, 12)
    expect(found.l0).toBe(1.5)
    expect(found.l1).toBe(3)
    expect(found.dead).toBe(1)
    expect([...meter.density()]).toEqual([1, 0, 0.5])
    expect([...meter.meanRow()]).toEqual([2, 2])
  })

  test('have names that are all defined', () => {
    const { definitions, rows, ...figures } = new QualityMeter({ outputs: 1, latents: 1 }).figures()
    expect(Object.keys(figures)).toEqual(Object.keys(qualityDefinitions))
  })

  test('are null where there is no value, never NaN', () => {
    const none = new QualityMeter({ outputs: 2, latents: 2 }).figures()
    for (const name of Object.keys(qualityDefinitions)) expect(none[name as keyof typeof none], name).toBeNull()

    const single = new QualityMeter({ outputs: 2, latents: 2 })
    single.add(Float32Array.of(0.1, 3), Float32Array.of(0, 3), firing(2, [[[1, 2]]]))
    expect(single.figures()).toMatchObject({ rows: 1, fvu: null, explainedVariance: null, l0: 1, dead: 1 })
    expect(single.figures().mse).toBeCloseTo(0.01, 8)

    const constant = new QualityMeter({ outputs: 1, latents: 1 })
    const same = new Float32Array(50).fill(0.1)
    constant.add(
      same,
      new Float32Array(50),
      firing(
        1,
        Array.from({ length: 50 }, () => []),
      ),
    )
    expect(constant.figures()).toMatchObject({ fvu: null, relativeBias: null, cosine: 0, l2Ratio: 0, l0: 0, dead: 1 })

    const zeros = new QualityMeter({ outputs: 1, latents: 1 })
    zeros.add(Float32Array.of(0, 0), Float32Array.of(0, 0), firing(1, [[], []]))
    expect(zeros.figures()).toMatchObject({ fvu: null, mse: 0, cosine: 0, l2Ratio: null, relativeBias: null })
  })

  test('of what is no finite number are refused, and whose fault it is is said', () => {
    const meter = () => new QualityMeter({ outputs: 2, latents: 1 })
    const one = firing(1, [[]])
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => meter().add(Float32Array.of(1, value), Float32Array.of(1, 1), one)).toThrow('The rows that the SAE')
      expect(() => meter().add(Float32Array.of(1, 1), Float32Array.of(1, value), one)).toThrow('The SAE gives')
    }
  })
})

const [width, latents, count] = [12, 40, 600]

/** A ReLU SAE about `mean`, and rows about it. */
function planted(mean: readonly number[]) {
  const random = new Random('quality')
  const decoder = Array.from({ length: latents }, () => {
    const row = random.normals(width)
    const norm = Math.hypot(...row)
    return Array.from(row, value => value / norm)
  })
  const rows = Float32Array.from({ length: count * width }, (_, i) => random.normal() + mean[i % width]!)
  const sae = makeSae({
    architecture: 'standard',
    config: { apply_b_dec_to_input: true },
    metadata: { hook_name: '' },
    params: {
      W_enc: tf.tidy(() => tf.tensor2d(decoder).transpose<Tensor2D>().mul<Tensor2D>(0.3)),
      b_enc: tf.fill([latents], -0.1),
      W_dec: tf.tensor2d(decoder),
      b_dec: tf.tensor1d([...mean]),
    },
  })
  return { sae, rows, decoder }
}

/** The FVU of the same, in float64 and by its definition. */
function exactFvu(rows: Float32Array, decoder: readonly number[][], mean: readonly number[]): number {
  const centre = Array.from({ length: width }, (_, i) => {
    let sum = 0
    for (let r = 0; r < count; r++) sum += rows[r * width + i]!
    return sum / count
  })
  let [error, spread] = [0, 0]
  for (let r = 0; r < count; r++) {
    const x = Array.from(rows.subarray(r * width, (r + 1) * width))
    const y = [...mean]
    for (const row of decoder) {
      const z = x.reduce((sum, value, i) => sum + 0.3 * (value - mean[i]!) * row[i]!, -0.1)
      if (z > 0) for (const [i, value] of row.entries()) y[i]! += z * value
    }
    x.forEach((value, i) => {
      error += (value - y[i]!) ** 2
      spread += (value - centre[i]!) ** 2
    })
  }
  return error / spread
}

describe('a large mean costs no precision', () => {
  const cases: [string, number[]][] = [
    ...[0, 100, 1_000, 10_000].map((mean): [string, number[]] => [`mean ${mean}`, new Array(width).fill(mean)]),
    ['one dimension at 3,000', Array.from({ length: width }, (_, i) => (i === 3 ? 3_000 : 0))],
    ['means of both signs', Array.from({ length: width }, (_, i) => 5_000 * (-1) ** i)],
  ]
  test.each(cases)('%s', (_, mean) => {
    const { sae, rows, decoder } = planted(mean)
    const before = tf.memory().numTensors
    const x = tf.tensor2d(rows, [count, width])
    const found = measureRows(sae, x)
    x.dispose()
    expect(tf.memory().numTensors).toBe(before)
    expect(Math.abs(found.fvu! / exactFvu(rows, decoder, mean) - 1)).toBeLessThan(2e-5)
    sae.dispose()
  })

  test('and batches give what the whole gives', () => {
    const { sae, rows } = planted(new Array(width).fill(1_000))
    const [whole, parts] = [new QualityMeter(sae), new QualityMeter(sae)]
    const x = tf.tensor2d(rows, [count, width])
    whole.measure(sae, x)
    for (let start = 0; start < count; start += 7) {
      const some = x.slice<Tensor2D>([start, 0], [Math.min(7, count - start), width])
      parts.measure(sae, some)
      some.dispose()
    }
    tf.dispose(x)
    expect(parts.figures().fvu).toBeCloseTo(whole.figures().fvu!, 6)
    expect(parts.figures().l0).toBe(whole.figures().l0)
    sae.dispose()
  })
})

describe('rows of a file', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rows-'))
  })
  afterAll(() => rm(folder, { recursive: true }))
  const file = async (name: string, shape: number[], data: Float32Array) => {
    const path = join(folder, `${name}.safetensors`)
    await writeSafetensors(path, { x: { shape, data } })
    return path
  }

  test('may stand in batches of positions', async () => {
    const path = await file(
      'batches',
      [2, 3, 2],
      Float32Array.from({ length: 12 }, (_, i) => i),
    )
    expect([...(await rowsOf(path, { width: 2, count: 4 }))]).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('are refused where there are none, where they are of another width, and where one is no number', async () => {
    const values = Float32Array.of(1, 2, 3, Number.NaN)
    await expect(rowsOf(await file('empty', [0, 2], new Float32Array()), { width: 2 })).rejects.toThrow('has no rows')
    await expect(rowsOf(await file('wide', [1, 4], values), { width: 2 })).rejects.toThrow('must be [rows, 2]')
    await expect(rowsOf(await file('nan', [2, 2], values), { width: 2 })).rejects.toThrow(/^Row 1 of x in .* holds NaN/)
  })
})

const folder = sharedCase('sae', 'rows')

describe.skipIf(!folder)('rows and SAEs made in PyTorch', () => {
  test.each([
    'plain',
    'mean100',
    'mean1000',
    'outlier-norm',
    'one-row',
    'constant',
    'f16',
    'bf16',
    'f64',
    '3d',
    'zeros',
  ])('%s: every figure is that of float64', async name => {
    const expected = JSON.parse(
      (await readFile(join(folder!, 'EXPECT-rows.json'), 'utf8')).replaceAll(/NaN|Infinity/g, 'null'),
    )[name]
    const sae = await openSae(join(folder!, expected.sae))
    const rows = await rowsOf(join(folder!, `${name}.safetensors`), { width: sae.width })
    const x = tf.tensor2d(rows, [rows.length / sae.width, sae.width])
    const found = measureRows(sae, x)
    x.dispose()
    sae.dispose()
    for (const figure of ['fvu', 'mse', 'l0', 'l1', 'cosine'] as const)
      if (expected[figure] === null) expect(found[figure], figure).toBeNull()
      else expect(Math.abs(found[figure]! - expected[figure]), figure).toBeLessThanOrEqual(1e-4 * expected[figure])
  })
})
