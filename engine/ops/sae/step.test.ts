import { beforeAll, describe, expect, test } from 'vitest'
import { type Scalar, type Tensor, type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { hasRoundedProducts } from '../native.ts'
import { everyWay, largestDifference, opsTestable, startOps } from '../testing.ts'
import { plainSparseDecode, plainSparseDecodeBack, sparseDecode, sparseDecodeBack } from './decode.ts'
import { packEncoder, plainTopKEncode, topKEncode } from './encode.ts'
import { type StepOptions, topKStep } from './step.ts'
import { type OwnWeights, own, type UpdateRule } from './update.ts'

type Weights = { wEnc: Tensor2D; bEnc: Tensor1D; wDec: Tensor2D; bDec: Tensor1D }
const normal = (shape: number[], seed: number, deviation = 1) =>
  tf.randomNormal(shape as [number], 0, deviation, 'float32', seed) as Tensor

function startWeights(width: number, latents: number, outputs = width): Weights {
  return tf.tidy(() => {
    const wDec = normal([latents, outputs], 1) as Tensor2D
    return {
      wEnc: normal([latents, width], 2, 0.3) as Tensor2D,
      bEnc: normal([latents], 3, 0.1) as Tensor1D,
      wDec: wDec.div(wDec.norm(2, 1, true)) as Tensor2D,
      bDec: normal([outputs], 4, 0.1) as Tensor1D,
    }
  }) as unknown as Weights
}

function owned(weights: Weights, pack = false): OwnWeights {
  const slot = (weight: Tensor) =>
    tf.tidy(() => ({ weight: own(weight), first: own(tf.zerosLike(weight)), second: own(tf.zerosLike(weight)) }))
  const { wEnc, bEnc, wDec, bDec } = weights
  return {
    wEnc: slot(wEnc),
    bEnc: slot(bEnc),
    wDec: slot(wDec),
    bDec: slot(bDec),
    packed: pack ? packEncoder(wEnc) : undefined,
  }
}

const disposeOwned = (weights: OwnWeights) =>
  tf.dispose([
    ...[weights.wEnc, weights.bEnc, weights.wDec, weights.bDec].flatMap(slot => Object.values(slot)),
    ...(weights.packed ? [weights.packed] : []),
  ])

/** Runs a step and frees what it gives. */
const discard = (step: () => object) => {
  tf.tidy(() => {
    step()
  })
}

const rule: UpdateRule = {
  optimiser: 'adam',
  rate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.1,
  count: 1,
  project: true,
  unit: true,
  centred: true,
}

/** The same steps in dense tensors, with gradients by differentiation of a decode that gathers. */
class Plain {
  readonly slots: Record<keyof Weights, { weight: Tensor; first: Tensor; second: Tensor }>
  norm = 0

  constructor(weights: Weights) {
    this.slots = Object.fromEntries(
      Object.entries(weights).map(([name, weight]) => [
        name,
        { weight: weight.clone(), first: tf.zerosLike(weight), second: tf.zerosLike(weight) },
      ]),
    ) as never
  }

  take(input: Tensor2D, target: Tensor2D, options: StepOptions): void {
    const names = ['wEnc', 'bEnc', 'wDec', 'bDec'] as const
    const { rule } = options
    const gradients = tf.tidy(() => {
      const loss = (...weights: Tensor[]) => {
        const [wEnc, bEnc, wDec, bDec] = weights as [Tensor2D, Tensor1D, Tensor2D, Tensor1D]
        const x = rule.centred ? input.sub<Tensor2D>(bDec) : input
        const pre = tf.matMul(x, wEnc, false, true).add(bEnc) as Tensor2D
        const kept = (mask: Tensor) => tf.relu(pre).mul(mask) as Tensor2D
        const [w, b] = [this.slots.wEnc.weight as Tensor2D, this.slots.bEnc.weight as Tensor1D]
        const fixed = rule.centred ? input.sub<Tensor2D>(this.slots.bDec.weight) : input
        const main = kept(
          maskOf(plainTopKEncode(fixed, w, { k: options.k, bias: b, layout: 'out-in' }).indices, wEnc.shape[0]),
        )
        const xHat = tf.matMul(main, wDec).add<Tensor2D>(bDec)
        const error = xHat
          .sub(target)
          .square()
          .sum()
          .mul((options.scale as number) / 2)
        if (!options.dead) return error as Scalar
        const residual = tf.tensor2d(
          tf
            .tidy(() => target.sub(xHat))
            .dataSync()
            .slice() as Float32Array,
          target.shape,
        )
        const at = tf.tensor1d(options.dead.latents.slice(), 'int32')
        const k = Math.min(options.dead.k, options.dead.latents.length)
        const local = plainTopKEncode(fixed, w.gather(at), { k, bias: b.gather(at), layout: 'out-in' }).indices
        const auxiliary = kept(maskOf(at.gather<Tensor>(local) as Tensor2D, wEnc.shape[0]))
        const guess = tf.matMul(auxiliary, wDec)
        return error.add(
          guess
            .sub(residual)
            .square()
            .sum()
            .mul(options.dead.scale(residual, at.size) / 2),
        ) as Scalar
      }
      const raw = tf.grads(loss)(names.map(name => this.slots[name].weight))
      if (rule.project) {
        const w = this.slots.wDec.weight
        const unit = w.div(w.norm(2, 1, true))
        raw[2] = raw[2]!.sub(raw[2]!.mul(unit).sum(1, true).mul(unit))
      }
      const norm = tf.addN(raw.map(g => g.square().sum())).sqrt()
      this.norm = norm.dataSync()[0]!
      const clip = options.gradientClip === undefined ? 1 : Math.min(1, options.gradientClip / (this.norm + 1e-6))
      return raw.map(g => g.mul(clip))
    })
    for (const [i, name] of names.entries()) {
      const { weight, first, second } = this.slots[name]
      const g = gradients[i]!
      const [w, m, v] = tf.tidy(() => {
        const m = first.mul(rule.beta1).add(g.mul(1 - rule.beta1))
        if (rule.optimiser === 'signum') return [weight.sub(m.sign().mul(rule.rate)), m, second.clone()]
        const v = second.mul(rule.beta2).add(g.square().mul(1 - rule.beta2))
        const divisor = v
          .sqrt()
          .div(Math.sqrt(1 - rule.beta2 ** rule.count))
          .add(rule.epsilon)
        const start = rule.optimiser === 'adamw' ? weight.mul(1 - rule.rate * rule.weightDecay) : weight
        let w: Tensor = start.sub(m.div(divisor).mul(rule.rate / (1 - rule.beta1 ** rule.count)))
        if (name === 'wDec' && rule.unit) w = w.div(w.norm(2, 1, true))
        return [w, m, v]
      })
      tf.dispose([weight, first, second, g])
      this.slots[name] = { weight: w!, first: m!, second: v! }
    }
  }

  dispose() {
    tf.dispose(Object.values(this.slots).flatMap(slot => Object.values(slot)))
  }
}

function maskOf(indices: Tensor2D, latents: number): Tensor2D {
  return tf.tidy(() => tf.oneHot(indices, latents).sum(1).cast('float32') as Tensor2D)
}

describe.skipIf(!opsTestable)('sparse decoding', () => {
  beforeAll(() => startOps())

  test.each([
    [1, 1, 1, 1],
    [5, 3, 9, 3],
    [33, 70, 100, 7],
    [7, 128, 500, 33],
    [70, 33, 300, 120],
  ])('agrees with the plain version: %i rows, width %i, %i latents, k %i', (rows, width, latents, k) => {
    const x = normal([rows, width], 1) as Tensor2D
    const { wEnc, wDec, bEnc, bDec } = startWeights(width, latents)
    const chosen = plainTopKEncode(x, wEnc, { k, bias: bEnc, layout: 'out-in' })
    const plain = plainSparseDecode(chosen, wDec, bDec)
    const scale = tf.scalar(0.25)
    const plainBack = plainSparseDecodeBack(x, chosen, wDec, bDec, scale)
    everyWay(name => {
      const before = tf.memory().numTensors
      const xHat = sparseDecode(chosen, wDec, bDec)
      expect(largestDifference(xHat, plain), name).toBeLessThan(1e-5)
      const back = sparseDecodeBack(x, chosen, wDec, bDec, scale)
      expect(largestDifference(back.g, plainBack.g), name).toBeLessThan(1e-5)
      expect(largestDifference(back.dz, plainBack.dz), name).toBeLessThan(1e-5)
      expect(largestDifference(back.errors, plainBack.errors) / width, name).toBeLessThan(1e-5)
      tf.dispose([xHat, back.g, back.dz, back.errors])
      expect(tf.memory().numTensors).toBe(before)
    })
    tf.dispose([x, wEnc, wDec, bEnc, bDec, chosen.values, chosen.indices, plain, scale])
    tf.dispose([plainBack.g, plainBack.dz, plainBack.errors])
  })

  test.each([
    [1, 1, 3, 2, [1, 3]],
    [33, 70, 100, 7, [3, 3, 50, 100]],
    [5, 40, 30, 30, [0, 29, 30]],
  ])('agrees with the plain version level by level: %i rows, width %i, %i latents, k %i, levels %o', (...sizes) => {
    const [rows, width, latents, k, ends] = sizes as [number, number, number, number, number[]]
    const x = normal([rows, width], 1) as Tensor2D
    const { wEnc, wDec, bEnc, bDec } = startWeights(width, latents)
    const chosen = plainTopKEncode(x, wEnc, { k, bias: bEnc, layout: 'out-in' })
    const scales = tf.tensor1d(ends.map((_, level) => (level === 1 ? 0 : 0.5 / (level + 1))))
    const plain = plainSparseDecodeBack(x, chosen, wDec, bDec, scales, ends)
    expect([plain.g.shape, plain.errors.shape]).toEqual([
      [ends.length * rows, width],
      [ends.length, rows],
    ])
    everyWay(name => {
      const back = sparseDecodeBack(x, chosen, wDec, bDec, scales, ends)
      for (const part of ['g', 'dz', 'errors'] as const)
        expect(largestDifference(back[part], plain[part]) / width, `${name} ${part}`).toBeLessThan(2e-5)
      tf.dispose([back.g, back.dz, back.errors])
    })
    tf.dispose([x, wEnc, wDec, bEnc, bDec, chosen.values, chosen.indices, scales, plain.g, plain.dz, plain.errors])
  })

  test('reads many latents a row in any order', () => {
    const x = normal([70, 33], 1) as Tensor2D
    const { wEnc, wDec, bEnc, bDec } = startWeights(33, 300)
    const chosen = plainTopKEncode(x, wEnc, { k: 120, bias: bEnc, layout: 'out-in' })
    const scale = tf.scalar(0.25)
    const turned = { values: chosen.values.reverse(1) as Tensor2D, indices: chosen.indices.reverse(1) as Tensor2D }
    const [one, other] = [chosen, turned].map(latents => sparseDecodeBack(x, latents, wDec, bDec, scale))
    const dz = other!.dz.reverse(1)
    expect(largestDifference(one!.g, other!.g)).toBeLessThan(1e-5)
    expect(largestDifference(one!.dz, dz)).toBeLessThan(1e-5)
    tf.dispose([x, wEnc, wDec, bEnc, bDec, scale, dz, chosen.values, chosen.indices, turned.values, turned.indices])
    for (const back of [one!, other!]) tf.dispose([back.g, back.dz, back.errors])
  })

  test('refuses levels that do not rise to all latents', () => {
    const [values, weight] = [tf.ones([1, 1]) as Tensor2D, tf.ones([2, 3]) as Tensor2D]
    const [indices, target, scales] = [tf.tensor2d([[1]], [1, 1], 'int32'), tf.ones([1, 3]), tf.tensor1d([1, 1])]
    for (const ends of [[1, 1], [2, 1], [1]])
      expect(() => sparseDecodeBack(target as Tensor2D, { values, indices }, weight, null, scales, ends)).toThrow(
        'level',
      )
    tf.dispose([values, weight, indices, target, scales])
  })

  test('refuses an index that is no latent', () => {
    const [values, weight] = [tf.ones([1, 1]) as Tensor2D, tf.ones([2, 3]) as Tensor2D]
    const indices = tf.tensor2d([[2]], [1, 1], 'int32')
    expect(() => sparseDecode({ values, indices }, weight, null)).toThrow('an index is outside the 2 latents')
    tf.dispose([values, weight, indices])
  })
})

describe.skipIf(!opsTestable)('a fused training step', () => {
  beforeAll(() => startOps())
  const none: StepOptions = { k: 4, scale: 0.05, rounded: false, rule }
  const dead = { latents: Int32Array.of(1, 5, 8, 30), k: 3, scale: () => 0.02 }

  const cases: [string, Partial<StepOptions>, Partial<UpdateRule>][] = [
    ['Adam, unit norm, projected', {}, {}],
    ['free norm, bias not on the input', {}, { project: false, unit: false, centred: false }],
    ['AdamW', {}, { optimiser: 'adamw' }],
    ['signum', {}, { optimiser: 'signum', project: false, unit: false }],
    ['clipped', { gradientClip: 0.3 }, {}],
    ['with dead latents', { dead }, {}],
    ['with more asked of the dead than there are', { dead: { ...dead, k: 9 }, gradientClip: 1 }, {}],
    ['with latents that many rows use', { k: 20, dead: { ...dead, latents: Int32Array.of(1, 5), k: 2 } }, {}],
  ]
  test.each(cases)('steps end in the weights of plain steps: %s', (name, options, changed) => {
    const many = name.includes('many rows')
    const [rows, width, latents] = many ? [150, 21, 25] : [37, 21, 67]
    const start = startWeights(width, latents)
    // The sign of a moment that is 0 but for rounding is anyone's, and later steps build on it.
    const steps = changed.optimiser === 'signum' ? 1 : 6
    const batches = Array.from({ length: steps }, (_, i) => normal([rows, width], 10 + i) as Tensor2D)
    const plain = new Plain(start)
    const settings = (count: number): StepOptions => ({ ...none, ...options, rule: { ...rule, ...changed, count } })
    const norms = batches.map((batch, i) => {
      plain.take(batch, batch, settings(i + 1))
      return plain.norm
    })
    everyWay(name => {
      const weights = owned(start)
      const before = tf.memory().numTensors
      for (const [i, batch] of batches.entries()) {
        const { errors, norm, clip, counts, values, indices, auxiliaryLoss } = topKStep(
          weights,
          batch,
          batch,
          settings(i + 1),
        )
        expect(norm.dataSync()[0]! / norms[i]!, name).toBeCloseTo(1, 3)
        const used = values.dataSync().filter(value => value !== 0).length
        const fired = (counts.dataSync() as Int32Array).reduce((a, b) => a + b)
        expect(fired, name).toBe(used)
        tf.dispose([errors, norm, clip, counts, values, indices, ...(auxiliaryLoss ? [auxiliaryLoss] : [])])
      }
      expect(tf.memory().numTensors).toBe(before)
      for (const part of ['wEnc', 'bEnc', 'wDec', 'bDec'] as const)
        for (const of of ['weight', 'first', 'second'] as const) {
          expect(largestDifference(weights[part][of], plain.slots[part][of]), `${name} ${part} ${of}`).toBeLessThan(
            2e-4,
          )
        }
      disposeOwned(weights)
    })
    plain.dispose()
    tf.dispose([...Object.values(start), ...batches])
  })

  test('any number of threads gives the same bytes', () => {
    const start = startWeights(40, 300)
    const batch = normal([50, 40], 1) as Tensor2D
    const results = new Map<string, Float32Array[]>()
    everyWay(name => {
      const weights = owned(start)
      discard(() => topKStep(weights, batch, batch, { ...none, dead }))
      const level = name.split(',')[0]!
      results.set(level, [...(results.get(level) ?? []), weights.wDec.weight.dataSync().slice() as Float32Array])
      disposeOwned(weights)
    })
    for (const [level, [one, many]] of results) expect(many, level).toEqual(one)
    tf.dispose([...Object.values(start), batch])
  })

  test.each([
    ['all zeros', (rows: Tensor2D) => rows.mul(0)],
    ['one row', (rows: Tensor2D) => rows.slice([0, 0], [1, -1])],
    ['equal rows', (rows: Tensor2D) => rows.slice([0, 0], [1, -1]).tile([9, 1])],
  ])('stays finite on a degenerate batch: %s', (_, change) => {
    const start = startWeights(8, 20)
    const batch = tf.tidy(() => change(normal([9, 8], 1) as Tensor2D)) as Tensor2D
    everyWay(name => {
      const weights = owned(start)
      discard(() => topKStep(weights, batch, batch, none))
      for (const part of ['wEnc', 'bEnc', 'wDec', 'bDec'] as const)
        expect(weights[part].weight.dataSync().every(Number.isFinite), name).toBe(true)
      disposeOwned(weights)
    })
    tf.dispose([...Object.values(start), batch])
  })

  test('the packed encoder follows the weights', () => {
    if (!hasRoundedProducts()) return
    const start = startWeights(40, 70)
    const batch = normal([33, 40], 1) as Tensor2D
    const weights = owned(start, true)
    discard(() => topKStep(weights, batch, batch, { ...none, rounded: true }))
    const bias = weights.bEnc.weight as Tensor1D
    const encode = { k: 5, bias, layout: 'out-in', rounded: true } as const
    const kept = topKEncode(batch, weights.wEnc.weight as Tensor2D, { ...encode, packed: weights.packed })
    const anew = topKEncode(batch, weights.wEnc.weight as Tensor2D, encode)
    expect(kept.values.dataSync()).toEqual(anew.values.dataSync())
    tf.dispose([kept.values, kept.indices, anew.values, anew.indices, batch, ...Object.values(start)])
    disposeOwned(weights)
  })

  test('lazy updates leave unused latents as they are', () => {
    const start = startWeights(6, 12)
    const batch = normal([1, 6], 1) as Tensor2D
    const weights = owned(start)
    const steps = (count: number) => ({ ...none, k: 2, rule: { ...rule, count, lazy: true } })
    const used = tf.tidy(() => topKStep(weights, batch, batch, steps(1)).counts.dataSync())
    const [before, after] = [start.wEnc.arraySync(), (weights.wEnc.weight as Tensor2D).arraySync()]
    for (let i = 0; i < 12; i++) expect(JSON.stringify(after[i]) === JSON.stringify(before[i])).toBe(used[i] === 0)
    disposeOwned(weights)
    tf.dispose([...Object.values(start), batch])
  })
})
