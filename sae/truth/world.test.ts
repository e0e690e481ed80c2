import { beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { hasOp } from '../../engine/ops/native.ts'
import { Sampler, seedWords } from '../../engine/ops/truth/sample.ts'
import { tailAt, tailTable } from '../../engine/ops/truth/tables.ts'
import { tf } from '../../engine/tf.ts'
import { checkWorld, nestedFeatures, truthPresets, type WorldConfig } from './config.ts'
import { firingRates, makeDictionary, makeWorld } from './world.ts'

const benchmark = { ...truthPresets['synthsaebench-16k'].world, orthogonalSteps: 0 }

describe('a world of known features', () => {
  beforeAll(() => startEngine())

  test('rates fall from the largest to the smallest, as published', () => {
    const rates = firingRates(benchmark)
    // SAELens 6.54.12, zipfian_firing_probabilities(16384, 0.5, 0.4, 5e-4).
    for (const [i, rate] of [
      [0, 0.4],
      [1, 0.28206781],
      [127, 0.032943517],
      [2688, 0.0051190834],
      [10879, 0.00121452],
      [16383, 5e-4],
    ] as const)
      expect(rates[i]! / rate).toBeCloseTo(1, 5)
    expect(rates.reduce((sum, rate) => sum + rate, 0)).toBeCloseTo(59.144, 2)
  })

  test('trees are filled level by level, and children’s rates make up for parents and siblings as published', async () => {
    expect(nestedFeatures(benchmark)).toBe(10_880)
    const empty = { directions: new Float32Array(0), bias: new Float32Array(0) }
    const { parents, tables } = makeWorld({ ...benchmark, rank: 0 }, 0, empty)
    expect([0, 127, 128, 131, 132, 639, 640, 2687, 2688, 10_879, 10_880].map(i => parents[i])).toEqual([
      ...[-1, -1, 0, 0, 1, 127, 128, 639, 640, 2687, -1],
    ])
    const tail = tailTable()
    // SAELens 6.54.12, base rates times compute_probability_correction_factors.
    for (const [i, asked] of [
      [0, 0.4],
      [127, 0.032943517],
      [128, 0.102025],
      [639, 0.89052576],
      [640, 0.89320701],
      [2687, 0.83278865],
      [10_879, 0.40600798],
      [16_383, 5e-4],
    ] as const)
      expect(tailAt(tail, tables.cut[i]!) / asked, `feature ${i}`).toBeCloseTo(1, 4)
  })

  test('a forest that outgrows the features ends with them', () => {
    const config: WorldConfig = { ...truthPresets.small.world, features: 20, roots: 8, branching: 3, depth: 2 }
    expect(nestedFeatures(config)).toBe(20)
    const { parents, tables } = makeWorld(config, 0, {
      directions: new Float32Array(20 * 48),
      bias: new Float32Array(48),
    })
    expect([...parents.subarray(8)]).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    expect([...tables.firstChild]).toEqual([8, 11, 14, 17, ...Array(16).fill(-1)])
    expect(() => checkWorld({ ...config, smallestRate: 0.9 })).toThrow('smallestRate 0.9 is above')
    expect(() => checkWorld({ ...config, roots: 21 })).toThrow('21 roots are more than the 20 features')
  })

  test('the same seed gives the same world, another seed another', async () => {
    const config = { ...truthPresets.small.world, orthogonalSteps: 3 }
    const [a, b, c] = [
      await makeDictionary(config, 1),
      await makeDictionary(config, 1),
      await makeDictionary(config, 2),
    ]
    expect(a).toEqual(b)
    expect(a.directions).not.toEqual(c.directions)
    expect(makeWorld(config, 1, a).tables.factor).toEqual(makeWorld(config, 1, b).tables.factor)
  })

  test('without the op, the small world is drawn as by it', async () => {
    const config = { ...truthPresets.small.world, orthogonalSteps: 0 }
    const sampler = new Sampler(makeWorld(config, 0, await makeDictionary(config, 0)).tables)
    const [op, plain] = [false, true].map(plain => sampler.draw(seedWords(3), 0, 300, { plain }))
    expect([...op!.fired.features]).toEqual([...plain!.fired.features])
    tf.dispose([op!.rows, plain!.rows])
    sampler.dispose()
  })

  test('without trees and factors, features fire at their rates and independently', () => {
    const config = { ...truthPresets.small.world, roots: 0, rank: 0, deviationMean: 0, deviationSpread: 0 }
    const empty = { directions: new Float32Array(256 * 48), bias: new Float32Array(48) }
    const { tables, rates } = makeWorld(config, 0, empty)
    const sampler = new Sampler(tables)
    const count = 10_000
    const { rows, fired } = sampler.draw(seedWords(5), 0, count)
    const sizes = Array.from({ length: count }, (_, r) => fired.offsets[r + 1]! - fired.offsets[r]!)
    const mean = sizes.reduce((sum, size) => sum + size, 0) / count
    const variance = sizes.reduce((sum, size) => sum + (size - mean) ** 2, 0) / count
    const expected = rates.reduce((sum, rate) => sum + rate, 0)
    const spread = rates.reduce((sum, rate) => sum + rate * (1 - rate), 0)
    expect(Math.abs(mean - expected)).toBeLessThan(4 * Math.sqrt(spread / count))
    expect(Math.abs(variance / spread - 1)).toBeLessThan(4 * Math.sqrt(2 / count))
    rows.dispose()
    sampler.dispose()
  })

  test('samples of SynthSAEBench-16k have the statistics of its own generator', async context => {
    if (!process.env.PIPELINE_LONG) return context.skip('half a minute of samples; npm run test:long')
    if (!hasOp('PipelineTruth')) return context.skip()
    // SAELens 6.54.12, 100,000 samples of its generator with the same settings (no orthogonalisation, seed 42): in all
    // 34.44 features a sample (deviation 11.64), 25.11 of the first 4,096; norm 28.34, mean square 832.3; trace of the
    // covariance 807.8, its square 1,572; a child in 0.8922 of the samples with its root.
    const count = 15_000
    const world = makeWorld(benchmark, 0, await makeDictionary(benchmark, 0))
    const sampler = new Sampler(world.tables)
    const fired = new Float64Array(benchmark.features)
    const sums = { l0: 0, square: 0, norm: 0, norms: 0, rooted: 0 }
    let products = tf.zeros([768, 768])
    let total = tf.zeros([768])
    for (let start = 0; start < count; start += 1000) {
      const { rows, fired: own } = sampler.draw(seedWords(1, 'statistics'), start, 1000)
      for (let r = 0; r < 1000; r++) {
        const features = own.features.subarray(own.offsets[r]!, own.offsets[r + 1]!)
        for (const feature of features) {
          fired[feature]!++
          if (feature >= 128 && feature < 640) sums.rooted++
        }
        sums.l0 += features.length / count
        sums.square += features.length ** 2 / count
      }
      const norms = tf.tidy(() => tf.sqrt(rows.square().sum(1)))
      for (const norm of norms.dataSync()) {
        sums.norm += norm / count
        sums.norms += norm ** 2 / count
      }
      const [before, beforeTotal] = [products, total]
      products = tf.tidy(() => before.add(tf.matMul(rows, rows, true, false)))
      total = tf.tidy(() => beforeTotal.add(rows.sum(0)))
      tf.dispose([norms, rows, before, beforeTotal])
    }
    const of = (start: number, end: number) => fired.subarray(start, end).reduce((sum, n) => sum + n, 0) / count
    expect(Math.abs(sums.l0 - 34.44)).toBeLessThan(0.5)
    expect(Math.abs(Math.sqrt(sums.square - sums.l0 ** 2) - 11.64)).toBeLessThan(0.6)
    expect(Math.abs(of(0, 4096) - 25.11)).toBeLessThan(0.4)
    const levels = [0, 128, 640, 2688, 10_880, 16_384]
    for (const [i, rate] of [8.189, 7.306, 7.305, 7.113, 4.528].entries())
      expect(of(levels[i]!, levels[i + 1]!) / rate, `level ${i}`).toBeCloseTo(1, 1.5)
    const bands = [0, 1, 8, 128, 256, 640, 1600, 2688, 6000, 10_880]
    for (const [i, rate] of [0.3992, 1.333, 6.457, 3.038, 4.269, 4.625, 2.68, 4.187, 2.925].entries())
      expect(Math.abs(of(bands[i]!, bands[i + 1]!) / rate - 1), `features from ${bands[i]}`).toBeLessThan(0.035)
    expect(Math.abs(sums.norm - 28.34)).toBeLessThan(0.4)
    expect(Math.abs(sums.norms - 832.3)).toBeLessThan(20)
    expect(Math.abs(sums.rooted / (of(0, 128) * count) - 0.8922)).toBeLessThan(0.01)
    const [trace, square] = tf
      .tidy(() => {
        const mean = total.div(count)
        const covariance = products.div(count).sub(tf.outerProduct(mean.as1D(), mean.as1D()))
        return tf.stack([covariance.mul(tf.eye(768)).sum(), covariance.square().sum()])
      })
      .dataSync()
    expect(Math.abs(trace! - 807.8)).toBeLessThan(20)
    // Noise adds trace² / count to the square of an estimated covariance.
    expect(Math.abs((square! - trace! ** 2 / count) / 1572 - 1)).toBeLessThan(0.08)
    tf.dispose([products, total])
    sampler.dispose()
  })
})
