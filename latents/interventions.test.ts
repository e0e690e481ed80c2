import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { startEngine } from '../engine/engine.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import { smallModel } from '../model/random.fixture.ts'
import { uniformity } from '../statistics/drift/kolmogorov.ts'
import { rankP } from '../statistics/tests/permutation.ts'
import { type CleanPass, cleanPasses } from './clean-pass.ts'
import { fakeDataset, fakeModel, fakeSae, modelWidth, vocabularySize } from './fake.fixture.ts'
import { interventionsAt, measureEdits, startBefore } from './interventions.ts'
import { naiveEffect } from './naive.fixture.ts'

let model: Model
const window = fakeDataset(1).windows.at(0)!
const length = window.tokens.length
let bank: Tensor2D

beforeAll(async () => {
  await startEngine()
  model = fakeModel()
  const sae = fakeSae()
  bank = sae.decoder()
  sae.dispose()
})
afterAll(() => {
  model.dispose()
  bank.dispose()
})

const weights = Float32Array.from({ length: vocabularySize }, (_, v) => (v === 5 ? 1 : v === 6 ? -1 : 0))
const positions = [3, 7, 8]
const edits = [0, 1, 2, 50].map(direction => ({ direction, change: Float32Array.of(1, -2, 0.5) }))
const measure = (site: string, batchTokens: number) =>
  measureEdits(model, site, { window, positions, edits, bank, weights, batchTokens })
/** What a hook that adds nothing changes. */
const shamAt = (site: string) => {
  const interventions = interventionsAt(model, site)
  try {
    return interventions.sham(window, modelWidth)
  } finally {
    interventions.dispose()
  }
}

describe('batched edits', () => {
  test('agree with one full pass for each edit', () => {
    const found = measure('blocks.0.hook_resid_post', 8192)
    edits.forEach((edit, i) => {
      const expected = naiveEffect(model, 'blocks.0.hook_resid_post', { window, positions, bank, weights }, edit)
      expect(found[i]!.target).toBeCloseTo(expected.target, 5)
      expect(found[i]!.loss).toBeCloseTo(expected.loss, 5)
      expect(found[i]!.kl).toBeCloseTo(expected.kl, 5)
      expect(found[i]!.norm).toBeCloseTo(3.5 / 3, 5) // mean |change| times a unit row
    })
  })

  test('do not depend on how many are run at once', () => {
    const one = measure('blocks.0.hook_resid_post', 1)
    measure('blocks.0.hook_resid_post', 8192).forEach((effect, i) => {
      expect(effect.target).toBeCloseTo(one[i]!.target, 6)
      expect(effect.kl).toBeCloseTo(one[i]!.kl, 6)
    })
  })

  test('at a site inside a block give what they give in the residual it adds to', () => {
    const inside = measure('blocks.0.hook_mlp_out', 8192)
    measure('blocks.0.hook_resid_post', 8192).forEach((effect, i) => {
      expect(inside[i]!.target).toBeCloseTo(effect.target, 5)
    })
  })

  test('leave no tensor behind', () => {
    const before = tf.memory().numTensors
    measure('blocks.0.hook_resid_post', 60)
    shamAt('blocks.0.hook_mlp_out')
    expect(tf.memory().numTensors).toBe(before)
  })

  test('share what is kept with others that are open, until the last is disposed', () => {
    const site = 'blocks.0.hook_resid_post'
    const request = { window, positions, edits, bank, weights, batchTokens: 8192 }
    const before = tf.memory().numTensors
    const [first, second] = [interventionsAt(model, site), interventionsAt(model, site)]
    const found = first.measure(request)
    const kept = tf.memory().numTensors
    expect(kept).toBeGreaterThan(before)
    expect(second.measure(request)).toEqual(found)
    expect(tf.memory().numTensors).toBe(kept)
    first.dispose()
    first.dispose()
    expect(second.measure(request)).toEqual(found)
    second.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  test('that change nothing are exact no-ops', () => {
    for (const site of ['blocks.0.hook_resid_pre', 'blocks.0.hook_mlp_out', 'blocks.0.hook_resid_post'])
      expect(shamAt(site)).toBe(0)
    const [effect] = measureEdits(model, 'blocks.0.hook_resid_post', {
      window,
      positions,
      edits: [{ direction: 0, change: new Float32Array(3) }],
      bank,
      weights,
      batchTokens: 8192,
    })
    expect(effect).toEqual({ norm: 0, target: 0, loss: 0, kl: 0 })
  })
})

describe('joint edits, further targets and measured positions', () => {
  const site = 'blocks.0.hook_resid_post'
  const other = Float32Array.from({ length: vocabularySize }, (_, v) => (v === 9 ? 1 : v === 2 ? -1 : 0))
  const ask = (more: Partial<Parameters<typeof measureEdits>[2]>) =>
    measureEdits(model, site, { window, positions, edits, bank, weights, batchTokens: 8192, ...more })

  test('a joint edit adds what one edit along the sum of its terms adds', () => {
    const sum = onHost(() =>
      bank
        .slice([0, 0], [1, modelWidth])
        .add(bank.slice([4, 0], [1, modelWidth]).mul(2))
        .dataSync<'float32'>()
        .slice(),
    )
    const change = Float32Array.of(1, -2, 0.5)
    const joint = { direction: 0, change, also: [{ direction: 4, change: change.map(value => 2 * value) }] }
    const [both, alone] = ask({ edits: [joint, edits[1]!] })
    const summed = tf.tensor2d(sum, [1, modelWidth])
    const [expected] = ask({ edits: [{ direction: 0, change }], bank: summed })
    summed.dispose()
    for (const key of ['norm', 'target', 'loss', 'kl'] as const) expect(both![key]).toBeCloseTo(expected![key], 5)
    // An edit of one term in the same batch is what it is alone.
    expect(alone!.target).toBeCloseTo(ask({ edits: [edits[1]!] })[0]!.target, 6)
    expect(both).not.toHaveProperty('targets')
  })

  test('further targets are each what the target is with their weights', () => {
    const found = ask({ targets: [weights, other] })
    const alone = ask({ weights: other })
    found.forEach((effect, i) => {
      expect(effect.targets![0]).toBeCloseTo(effect.target, 6)
      expect(effect.targets![1]).toBeCloseTo(alone[i]!.target, 6)
    })
    expect(Math.abs(found[0]!.targets![1]! - found[0]!.target)).toBeGreaterThan(1e-4)
  })

  test('are measured at the positions asked for: means over them, nothing before the first edit, no loss at the last', () => {
    const last = length - 1
    const at = (...measuredAt: number[]) => ask({ measuredAt, targets: [other] })[0]!
    const [a, b] = [at(5), at(8)]
    const both = at(5, 8)
    for (const key of ['target', 'loss', 'kl'] as const) expect(both[key]).toBeCloseTo((a[key] + b[key]) / 2, 6)
    expect(both.targets![0]).toBeCloseTo((a.targets![0]! + b.targets![0]!) / 2, 6)
    expect(at(0, 2)).toMatchObject({ target: 0, loss: 0, kl: 0, targets: [0] })
    expect(at(last)).toMatchObject({ loss: 0 })
    expect(at(8).kl).toBeGreaterThan(0)
    expect(at(...positions).target).toBeCloseTo(ask({})[0]!.target, 6)
    const alone = interventionsAt(model, site)
    for (const measuredAt of [[5, 8], [0, 2], [2, last], positions]) {
      const [target] = alone.measureTargets({ window, positions, edits, bank, weights, batchTokens: 8192, measuredAt })
      expect(target!.target).toBeCloseTo(at(...measuredAt).target, 6)
    }
    alone.dispose()
    expect(() => at(length)).toThrow('Positions to measure at')
    expect(() => at()).toThrow('Positions to measure at')
  })
})

test('documents that were used longest ago go where more is kept than there is room for', () => {
  const before = tf.memory().numTensors
  const texts = [7, 6].map(length => window.tokens.slice(0, length))
  // Room for the values of both at the site, and for some of the logits, which are made later and count as well.
  const bytes = 4 * 13 * modelWidth + 100
  const passes = cleanPasses(model, 'blocks.0.hook_resid_post', bytes)
  const [first, second] = texts.map(tokens => passes.of(tokens)) as [CleanPass, CleanPass]
  expect(passes.of(texts[0]!.slice()) === first && passes.of(texts[1]!) === second).toBe(true)
  second.logits()
  expect(passes.of(texts[0]!)).toBe(first)
  expect(passes.of(texts[1]!)).not.toBe(second)
  passes.dispose()
  expect(tf.memory().numTensors).toBe(before)
})

describe('what is kept of a document changes no number', () => {
  const short = { ...window, tokens: Int32Array.from({ length: 12 }, (_, i) => (i * 5 + 1) % 11) }
  const own = Float32Array.from({ length: 11 }, (_, v) => (v === 2 ? -1 : v === 3 ? 1 : 0))
  const other = Float32Array.from({ length: 11 }, (_, v) => (v === 7 ? 0.5 : v === 9 ? -0.5 : 0))

  // From residuals and from the middle of a block; early edits and late ones, which start behind keys and values.
  test.each([
    ['gpt2', 'blocks.0.hook_resid_post'],
    ['llama', 'blocks.0.hook_resid_post'],
    ['mistral', 'blocks.0.hook_mlp_out'],
    ['gemma2', 'blocks.1.hook_resid_pre'],
    ['gpt_neox', 'blocks.0.attn.hook_z'],
    ['qwen3', 'blocks.1.hook_resid_post'],
    ['llama', 'hook_embed'],
  ])('%s at %s', (family, site) => {
    const small = smallModel(family, 1)
    const width = small.sites.find(({ name }) => name === site)!.size.reduce((a, b) => a * b)
    const rows = tf.tensor2d(new Random('rows').normals(4 * width), [4, width])
    const late = [9, 10].map(first => ({
      direction: first % 4,
      change: Float32Array.of(0.7),
      positions: [first],
      weights: other,
    }))
    const asked = [...edits.slice(0, 2), ...late]
    const request = { window: short, positions, edits: asked, bank: rows, weights: own, batchTokens: 40 }
    const held = tf.memory().numTensors
    const interventions = interventionsAt(small, site)
    const found = interventions.measure(request)
    const targets = interventions.measureTargets({ ...request, targets: [other] })
    const again = interventions.measure(request)
    interventions.dispose()
    expect(tf.memory().numTensors).toBe(held)
    expect(again).toEqual(found)
    asked.forEach((edit, i) => {
      const expected = naiveEffect(small, site, request, edit)
      for (const key of ['target', 'loss', 'kl'] as const)
        expect(Math.abs(found[i]![key] - expected[key])).toBeLessThan(1e-5)
      expect(Math.abs(targets[i]!.target - expected.target)).toBeLessThan(1e-5)
      expect(targets[i]).not.toHaveProperty('loss')
    })
    expect(Math.abs(targets[3]!.targets![0]! - targets[3]!.target)).toBeLessThan(1e-6)
    expect(Math.abs(found[2]!.target)).toBeGreaterThan(1e-4)
    rows.dispose()
    small.dispose()
  })
})

test('the rank of one random direction among others is uniform, through model and metric', () => {
  const [groups, controls] = [150, 19]
  const count = groups * (controls + 1)
  const effects = onHost(() => {
    const directions = tf.tensor2d(new Random('null').normals(count * modelWidth), [count, modelWidth])
    const edits = Array.from({ length: count }, (_, direction) => ({ direction, change: Float32Array.of(1, 1, 1) }))
    return measureEdits(model, 'blocks.0.hook_resid_post', {
      window,
      positions,
      edits,
      bank: directions.div(directions.norm('euclidean', 1, true)),
      weights,
      batchTokens: 8192,
    }).map(({ target }) => target)
  })
  const random = new Random('jitter')
  const ps = Array.from({ length: groups }, (_, g) => {
    const [own, ...others] = effects.slice(g * (controls + 1), (g + 1) * (controls + 1))
    return rankP(own!, others) - random.uniform() / (controls + 1) // spreads the steps of 1 / 20
  })
  expect(uniformity(ps).p).toBeGreaterThan(0.01)
})

test('a pass starts at the residual before the site', () => {
  expect(startBefore('blocks.3.hook_resid_post')).toBe('blocks.3.hook_resid_post')
  expect(startBefore('blocks.3.attn.hook_z')).toBe('blocks.3.hook_resid_pre')
  expect(startBefore('hook_embed')).toBeUndefined()
})
