import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Model } from './model.ts'
import { smallModel } from './random.fixture.ts'

beforeAll(() => startEngine())

let model: Model
let tokens: Tensor2D
let held = 0
beforeEach(() => {
  model = smallModel('gpt2')
  tokens = tf.tensor2d([[1, 2, 3]], [1, 3], 'int32')
  held = tf.memory().numTensors
})
afterEach(() => {
  expect(tf.memory().numTensors).toBe(held)
  model.dispose()
  tokens.dispose()
})

describe('a site that does not exist names the nearest', () => {
  const message = 'The model has no site blocks.0.hook_resid_pots.'
  const fix = expect.stringContaining('blocks.0.hook_resid_post')
  const site = 'blocks.0.hook_resid_pots'
  test.each([
    ['in hooks', () => model.run(tokens, { hooks: { [site]: () => undefined } })],
    ['in until', () => model.run(tokens, { until: site })],
    ['in from', () => model.run(tokens, { from: { site, value: tf.zeros([1, 3, 8]) as Tensor3D } })],
  ])('%s', (_, run) => {
    tf.tidy(() => {
      expect(run).toThrow(expect.objectContaining({ message, fix, exitCode: 1 }))
    })
  })

  test('also where it is the name of a method', () =>
    expect(() => model.run(tokens, { until: 'toString' })).toThrow(/no site toString/))
})

describe('what could not work is refused', () => {
  const refuse = (message: RegExp, run: () => Tensor) =>
    tf.tidy(() => {
      expect(run).toThrow(message)
    })
  const post = 'blocks.0.hook_resid_post'
  const value = () => tf.zeros([1, 3, 8]) as Tensor3D

  test('a hook that would never run', () => {
    refuse(/hook at hook_embed would never run: the pass starts at blocks.0.hook_resid_post/, () =>
      model.run(tokens, { hooks: { hook_embed: () => undefined }, from: { site: post, value: value() } }),
    )
    refuse(/would never run: the pass stops after blocks.0.hook_resid_post/, () =>
      model.run(tokens, { hooks: { 'ln_final.hook_scale': () => undefined }, until: post }),
    )
  })
  test('a stop before the start', () =>
    refuse(/comes before/, () => model.run(tokens, { until: 'hook_embed', from: { site: post, value: value() } })))
  test('a start anywhere but at a residual', () =>
    refuse(/cannot start at blocks.0.hook_mlp_out/, () =>
      model.run(tokens, { from: { site: 'blocks.0.hook_mlp_out', value: value() } }),
    ))
  test('a stored residual of another shape', () =>
    refuse(/is \[1,2,8\], but the tokens make it \[1,3,8\]/, () =>
      model.run(tokens, { from: { site: post, value: tf.zeros([1, 2, 8]) as Tensor3D } }),
    ))
  test('tokens out of range', () =>
    refuse(/Token 11 is outside the model's vocabulary of 11/, () =>
      model.run(tf.tensor2d([[0, 11]], [1, 2], 'int32')),
    ))
  test('a negative token', () => refuse(/Token -1/, () => model.run(tf.tensor2d([[-1]], [1, 1], 'int32'))))
  test('a window longer than the context', () =>
    refuse(/17 tokens is longer than the model's context of 16/, () =>
      model.run(tf.zeros([1, 17], 'int32') as Tensor2D),
    ))
  test('no tokens', () => refuse(/nothing to run/, () => model.run(tf.zeros([0, 3], 'int32') as Tensor2D)))
  test('a hook that returns another shape', () =>
    refuse(/hook at hook_embed returned float32 \[1\]/, () =>
      model.run(tokens, { hooks: { hook_embed: () => tf.zeros([1]) } }),
    ))
  test('a hook that is async', () =>
    refuse(/must not be async/, () => model.run(tokens, { hooks: { hook_embed: (async () => undefined) as never } })))
})

test('a hook that throws leaves no tensors', () => {
  const throwing = () => {
    tf.zeros([100])
    throw new Error('enough')
  }
  for (const site of ['hook_embed', 'blocks.1.attn.hook_pattern', 'unembed.hook_out'])
    expect(() => model.run(tokens, { hooks: { [site]: throwing } })).toThrow('enough')
})

test('stopping early computes nothing further', () => {
  const kernels = (until?: string) => {
    const { kernels } = tf.tidy(() => ({ kernels: countKernels(() => model.run(tokens, until ? { until } : {})) }))
    return kernels
  }
  const counts = [
    kernels('hook_embed'),
    kernels('blocks.0.hook_resid_pre'),
    kernels('blocks.0.hook_resid_mid'),
    kernels('blocks.0.hook_resid_post'),
    kernels('blocks.1.hook_resid_post'),
    kernels(),
  ]
  expect(counts).toEqual([...counts].sort((a, b) => a - b))
  expect(new Set(counts).size).toBe(counts.length)
})

/** How many kernels of tfjs and ops of our own the engine runs for this. */
function countKernels(body: () => Tensor): number {
  let count = 0
  const restore: (() => void)[] = []
  const countCalls = (of: object, name: string) => {
    const holder = of as Record<string, (...given: unknown[]) => unknown>
    const before = holder[name]
    if (!before) return
    holder[name] = function (...given) {
      count++
      return before.apply(this, given)
    }
    restore.push(() => {
      holder[name] = before
    })
  }
  countCalls(tf.engine(), 'runKernelFunc')
  countCalls(tf.backend(), 'executeMultipleOutputs')
  try {
    body().dispose()
  } finally {
    for (const undo of restore) undo()
  }
  return count
}

test("the result is the caller's own, also when it is a tensor they gave", () => {
  const mine = tf.ones([1, 3, 8]) as Tensor3D
  const site = 'blocks.1.hook_resid_post'
  const same = model.run(tokens, { from: { site, value: mine }, until: site })
  const replaced = model.run(tokens, { hooks: { [site]: () => mine }, until: site })
  same.dispose()
  replaced.dispose()
  expect(mine.isDisposed).toBe(false)
  expect(mine.dataSync()[0]).toBe(1)
  mine.dispose()
})

test('later tokens do not change earlier logits, and a batch equals its rows apart', () => {
  tf.tidy(() => {
    const both = tf.tensor2d(
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
      [2, 4],
      'int32',
    ) as Tensor2D
    const logits = model.run(both)
    const short = model.run(tf.tensor2d([[5, 6]], [1, 2], 'int32'))
    const difference = logits.slice([1, 0, 0], [1, 2, 11]).sub(short).abs().max().dataSync()[0]
    expect(difference).toBeLessThan(1e-5)
  })
})

test('the unembedding is what a direction of the residual does to the logits', () => {
  for (const family of ['gpt2', 'llama', 'gemma3_text']) {
    const other = smallModel(family)
    tf.tidy(() => {
      const x = tf.randomNormal([1, 3, 8], 0, 1, 'float32', 1) as Tensor3D
      const direction = tf.randomNormal([8], 0, 1, 'float32', 2)
      const scale = { 'ln_final.hook_scale': (value: Tensor) => tf.onesLike(value) }
      const at = (value: Tensor) =>
        other.run(tokens, { hooks: scale, from: { site: 'blocks.1.hook_resid_post', value: value as Tensor3D } })
      const effect = at(x.add(direction)).sub(at(x))
      const expected = tf.matMul(direction.reshape([1, 8]), other.unembedding())
      expect(effect.sub(expected).abs().max().dataSync()[0]).toBeLessThan(1e-4)
    })
    other.dispose()
  }
})
