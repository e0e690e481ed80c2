import { beforeAll, describe, expect, test } from 'vitest'
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { everyWay, largestDifference, opsTestable, startOps } from '../testing.ts'
import { atEntries, entriesDecodeBack, entriesDecodeBackTwo, plainEntriesDecodeBack, rowsOf } from './entries.ts'
import { entriesUpdate } from './entries-update.ts'
import { type Entries, plainThresholdEncode } from './threshold.ts'
import { type OwnWeights, own, type UpdateRule } from './update.ts'

const normal = (shape: number[], seed: number, deviation = 1) =>
  tf.randomNormal(shape as [number], 0, deviation, 'float32', seed) as Tensor

/** About a quarter of all entries, the last row and the last latent without any. */
function entriesOf(rows: number, latents: number): Entries {
  const masked = tf.tidy(() => {
    const all = normal([rows, latents], 1) as Tensor2D
    return tf.where(
      tf.logicalAnd(
        tf
          .range(0, rows)
          .less(Math.max(1, rows - 1))
          .expandDims(1),
        tf
          .range(0, latents)
          .less(Math.max(1, latents - 1))
          .expandDims(0),
      ),
      all,
      tf.fill([rows, latents], -9),
    ) as Tensor2D
  })
  const [identity, bounds] = [tf.eye(latents) as Tensor2D, tf.fill([latents], 0.6) as Tensor1D]
  const entries = plainThresholdEncode(masked, identity, { bounds, layout: 'in-out', limit: 1e9 })!
  tf.dispose([masked, identity, bounds])
  return entries
}

/** Every third value 0. */
const withZeros = (values: Tensor1D) =>
  tf.tidy(() =>
    values.mul<Tensor1D>(tf.range(0, values.size, 1, 'int32').mod(tf.scalar(3, 'int32')).greater(0).cast('float32')),
  )

/** The dense [rows, latents] matrix of entries. */
function dense(entries: Entries, values: Tensor1D, rows: number, latents: number): Tensor2D {
  return tf.tidy(() => {
    const at = rowsOf(entries).mul(tf.scalar(latents, 'int32')).add(entries.indices)
    return tf.unsortedSegmentSum(values, at as Tensor1D, rows * latents).reshape([rows, latents])
  })
}

const sizes: [number, number, number][] = [
  [1, 1, 1],
  [2, 9, 5],
  [33, 70, 21],
  [60, 130, 64],
]

describe.skipIf(!opsTestable)('entries', () => {
  beforeAll(() => startOps())

  test.each(sizes)('are decoded and led back: %i rows, %i latents, width %i', (rows, latents, width) => {
    const entries = entriesOf(rows, latents)
    const values = withZeros(entries.values)
    const [target, weight] = [normal([rows, width], 2), normal([latents, width], 3)] as [Tensor2D, Tensor2D]
    for (const bias of [null, normal([width], 4) as Tensor1D]) {
      const plain = plainEntriesDecodeBack(target, { ...entries, values }, weight, bias, 0.7)
      const full = plainEntriesDecodeBack(target, entries, weight, bias, 0.7)
      everyWay(name => {
        const before = tf.memory().numTensors
        const back = entriesDecodeBack(target, { ...entries, values }, weight, bias, 0.7)
        for (const key of ['g', 'dz', 'errors'] as const)
          expect(largestDifference(back[key], plain[key]), `${name} ${key}`).toBeLessThan(2e-6 * width ** 1.5)
        const two = entriesDecodeBackTwo(target, { ...entries, values }, entries.values, weight, bias, 0.7)
        for (const [i, expected] of [back, full].entries())
          for (const key of ['g', 'dz', 'errors'] as const)
            expect(largestDifference(two[i]![key], expected[key]), `${name} ${key}`).toBeLessThan(2e-6 * width ** 1.5)
        tf.dispose([...Object.values(back), ...two.flatMap(one => Object.values(one))])
        expect(tf.memory().numTensors).toBe(before)
      })
      tf.dispose([...Object.values(plain), ...Object.values(full)])
      bias?.dispose()
    }
    tf.dispose([target, weight, values, ...Object.values(entries)])
  })

  test('take the numbers of their latents', () => {
    const entries = entriesOf(60, 130)
    const perLatent = normal([130], 5) as Tensor1D
    const plain: Tensor = perLatent.gather(entries.indices)
    everyWay(name => {
      const taken = atEntries(perLatent, entries)
      expect(largestDifference(taken, plain), name).toBe(0)
      taken.dispose()
    })
    const outside = { indices: tf.tensor1d([130], 'int32') }
    expect(() => atEntries(perLatent, outside)).toThrow('atEntries: an index is outside the 130 latents.')
    tf.dispose([perLatent, plain, outside.indices, ...Object.values(entries)])
  })

  test('are refused where they do not fit', () => {
    const entries = { starts: [0, 2], indices: [0, 7], values: [1, 1] }
    tf.tidy(() => {
      const [target, weight] = [tf.ones([1, 3]), tf.ones([4, 3])] as [Tensor2D, Tensor2D]
      const tensors = (starts: number[]) =>
        ({
          starts: tf.tensor1d(starts, 'int32'),
          indices: tf.tensor1d(entries.indices, 'int32'),
          values: tf.tensor1d(entries.values),
        }) as Entries
      expect(() => entriesDecodeBack(target, tensors([0, 2]), weight, null, 1)).toThrow(
        'entriesDecodeBack: an index is outside the 4 latents.',
      )
      expect(() => entriesDecodeBack(target, tensors([0, 1]), weight, null, 1)).toThrow(
        'entriesDecodeBack: starts must ascend from 0 to the number of entries.',
      )
    })
  })
})

const rule: UpdateRule = {
  optimiser: 'adam',
  rate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-3,
  weightDecay: 0.1,
  count: 3,
  project: true,
  unit: true,
  centred: true,
}

const names = ['wEnc', 'bEnc', 'wDec', 'bDec'] as const

describe.skipIf(!opsTestable)('the update from entries', () => {
  beforeAll(() => startOps())

  /** The same gradients in dense tensors. */
  function gradients(weights: Record<string, Tensor>, x: Tensor2D, given: Given, { centred, project }: UpdateRule) {
    return tf.tidy(() => {
      const [rows, latents] = [x.shape[0], weights.wEnc!.shape[0]!]
      const ones = tf.ones([rows, 1])
      const all = given.allRows ? ones.mul(given.allRows) : tf.zeros([rows, latents])
      const dz = dense(given.entries, given.dz, rows, latents).add(all)
      let wDec: Tensor = tf.zerosLike(weights.wDec!)
      let bDec: Tensor = tf.zerosLike(weights.bDec!)
      for (const { values, g } of given.decoded) {
        wDec = wDec.add(tf.matMul(dense(given.entries, values, rows, latents), g, true))
        bDec = bDec.add(g.sum(0))
      }
      if (given.decoderScale) wDec = wDec.add(weights.wDec!.mul(given.decoderScale.expandDims(1)))
      if (project) {
        const along = wDec.mul(weights.wDec!).sum(1, true).div(weights.wDec!.square().sum(1, true))
        wDec = wDec.sub(weights.wDec!.mul(along))
      }
      if (centred) bDec = bDec.sub(tf.matMul(dz.sum(0, true), weights.wEnc as Tensor2D).reshape([-1]))
      return { wEnc: tf.matMul(dz as Tensor2D, x, true), bEnc: given.bias ?? dz.sum(0), wDec, bDec }
    }) as Record<(typeof names)[number], Tensor>
  }
  type Given = Omit<Parameters<typeof entriesUpdate>[2], 'decoded'> & {
    decoded: { values: Tensor1D; g: Tensor2D }[]
    entries: Entries
  }

  const cases: [string, Partial<UpdateRule>, { limit?: number; others?: number; extras?: boolean; two?: boolean }][] = [
    ['as they are', {}, {}],
    ['with all that may be given', {}, { extras: true, two: true }],
    ['clipped', {}, { limit: 0.5, others: 2, extras: true }],
    ['clipped less than the limit', { project: false }, { limit: 1e6 }],
    ['with free decoders', { project: false, unit: false, centred: false }, { extras: true }],
    ['with weight decay', { optimiser: 'adamw' }, { two: true }],
    ['by signs', { optimiser: 'signum' }, {}],
  ]
  test.each(cases)('takes the gradients %s', (_, change, { limit, others, extras, two }) => {
    for (const [rows, latents, width] of sizes.slice(1)) {
      const at = { ...rule, ...change }
      const entries = entriesOf(rows, latents)
      const some = (seed: number) => normal([entries.indices.size], seed) as Tensor1D
      const perLatent = (seed: number) => normal([latents], seed, 0.1) as Tensor1D
      const given: Given = {
        entries,
        dz: withZeros(some(11)),
        decoded: [
          { values: withZeros(entries.values), g: normal([rows, width], 12) as Tensor2D },
          ...(two ? [{ values: some(13), g: normal([rows, width], 14) as Tensor2D }] : []),
        ] as never,
        ...(extras ? { bias: perLatent(15), allRows: perLatent(16), decoderScale: perLatent(17) } : {}),
      }
      const x = normal([rows, width], 18) as Tensor2D
      const start: Record<string, Tensor> = {
        wEnc: normal([latents, width], 19),
        bEnc: normal([latents], 20),
        wDec: normal([latents, width], 21),
        bDec: normal([width], 22),
      }
      const plain = gradients(start, x, given, at)
      const norm = Math.sqrt(
        names.reduce((sum, name) => sum + (plain[name].square().sum().dataSync()[0] ?? 0), others ?? 0),
      )
      const factor = limit === undefined ? 1 : Math.min(1, limit / (norm + 1e-6))
      everyWay(name => {
        const weights = Object.fromEntries(
          names.map(key => [
            key,
            { weight: own(start[key]!), first: own(tf.onesLike(start[key]!)), second: own(tf.onesLike(start[key]!)) },
          ]),
        ) as unknown as OwnWeights
        const report = entriesUpdate(weights, x, given as never, at, { limit, others: others ?? 0 })
        expect(report.norm.dataSync()[0]! / norm, name).toBeCloseTo(1, 5)
        expect(report.clip.dataSync()[0]!, name).toBeCloseTo(factor, 5)
        for (const key of names) {
          const expected = tf.tidy(() => moved(start[key]!, plain[key].mul(factor), at, key === 'wDec'))
          expect(largestDifference(weights[key].weight, expected), `${name} ${key}`).toBeLessThan(2e-5)
          const first = tf.tidy(() =>
            tf
              .onesLike(start[key]!)
              .mul(0.9)
              .add(plain[key].mul(factor * 0.1)),
          )
          expect(largestDifference(weights[key].first, first), `${name} ${key}`).toBeLessThan(2e-5)
          tf.dispose([expected, first, ...Object.values(weights[key])])
        }
        tf.dispose([report.norm, report.clip])
      })
      tf.dispose([x, Object.values(start), Object.values(plain), Object.values(entries), given.dz])
      tf.dispose(given.decoded.flatMap(({ values, g }) => [values, g]))
      if (extras) tf.dispose([given.bias!, given.allRows!, given.decoderScale!])
    }
  })

  /** What a weight with moments of ones becomes. */
  function moved(weight: Tensor, gradient: Tensor, { optimiser, rate, ...at }: UpdateRule, decoder: boolean): Tensor {
    const first = gradient.mul(1 - at.beta1).add(at.beta1)
    const second = gradient
      .square()
      .mul(1 - at.beta2)
      .add(at.beta2)
    const root = second
      .sqrt()
      .div(Math.sqrt(1 - at.beta2 ** at.count))
      .add(at.epsilon)
    const step =
      optimiser === 'signum' ? first.sign().mul(rate) : first.div(root).mul(rate / (1 - at.beta1 ** at.count))
    const from = optimiser === 'adamw' ? weight.mul(1 - rate * at.weightDecay) : weight
    const to = from.sub(step)
    return decoder && at.unit ? to.div(to.square().sum(1, true).sqrt()) : to
  }

  test('moves every weight by its moments where no entry uses it', () => {
    tf.tidy(() => {
      const slot = (shape: number[]) => ({
        weight: own(tf.ones(shape)),
        first: own(tf.ones(shape)),
        second: own(tf.ones(shape)),
      })
      const weights: OwnWeights = { wEnc: slot([5, 3]), bEnc: slot([5]), wDec: slot([5, 3]), bDec: slot([3]) }
      const [ints, floats] = [tf.tensor1d([], 'int32'), tf.tensor1d([])]
      const entries = { starts: tf.tensor1d([0, 0, 0], 'int32'), indices: ints }
      const decoded = { values: floats, g: tf.zeros([2, 3]) as Tensor2D }
      const report = entriesUpdate(
        weights,
        tf.ones([2, 3]),
        { entries, dz: floats, decoded: [decoded] },
        { ...rule, unit: false },
      )
      expect((report.norm as Scalar).dataSync()[0]).toBe(0)
      const expected = moved(tf.scalar(1), tf.scalar(0), { ...rule, unit: false }, false).dataSync()[0]!
      for (const name of names)
        for (const value of weights[name].weight.dataSync()) expect(value).toBeCloseTo(expected, 6)
    })
  })
})
