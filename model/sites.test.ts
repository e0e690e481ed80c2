import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Hook, Model } from './model.ts'
import { smallConfigs, smallModel } from './random.fixture.ts'
import { splitSites } from './sites.ts'

beforeAll(() => startEngine())

const isSplit = (site: string) => splitSites.some(split => site.endsWith(split)) || site.endsWith('hook_result')
const tokensOf = () =>
  tf.tensor2d(
    [
      [1, 5, 3, 9, 0],
      [2, 2, 7, 10, 4],
    ],
    [2, 5],
    'int32',
  ) as Tensor2D
const largest = (a: Tensor, b: Tensor) => tf.tidy(() => a.sub(b).abs().max().dataSync()[0]!)
/** Random factors of a value's shape, each its own, so that no norm or softmax cancels them. */
const factors = (value: Tensor, seed: string) => tf.tensor(new Random(seed).normals(value.size, 0.3), value.shape).exp()

/** Families whose every site is tried in each run of the tests; of the others some of the first block, and all in test:long. */
const wholeFamilies = ['gpt2', 'gemma2']
const isLong = process.env.PIPELINE_LONG !== undefined
const isTried = (family: string, site: string) =>
  isLong ||
  wholeFamilies.includes(family) ||
  (!site.startsWith('blocks.1.') && /embed$|hook_resid_\w+$|hook_(q|rot_q|v|z|pattern|result)$|mlp\.|_out$/.test(site))
/** Of the other families, the sites that paths meet at. */
const isDifferentiated = (family: string, site: string) =>
  !site.startsWith('blocks.1.') &&
  (isLong || wholeFamilies.includes(family) || /hook_embed$|attn\.hook_[qkz]$|mlp\.hook_in$/.test(site))

// Gemma 3 with vision is built as its text model, gemma3_text.
describe.each(Object.keys(smallConfigs).filter(family => family !== 'gemma3'))('%s', family => {
  const withModel = (body: (model: Model, tokens: Tensor2D) => void) => () => {
    const before = tf.memory().numTensors
    const model = smallModel(family)
    const tokens = tokensOf()
    const held = tf.memory().numTensors
    body(model, tokens)
    expect(tf.memory().numTensors).toBe(held)
    model.dispose()
    tokens.dispose()
    expect(tf.memory().numTensors).toBe(before)
  }

  test(
    'comes to its sites in their order, with the shapes they state',
    withModel((model, tokens) => {
      const visited: string[] = []
      const look: Hook = (value, site) => {
        const { axes, size } = model.sites.find(({ name }) => name === site)!
        expect(value.rank).toBe(axes.length)
        expect(value.shape[0]).toBe(2)
        expect(axes[1] === 'head' ? value.shape.slice(2) : value.shape.slice(1)).toEqual(
          axes[1] === 'head' ? [5, 5] : [5, ...size],
        )
        visited.push(site)
        return undefined
      }
      const names = model.sites.map(({ name }) => name)
      const plain = names.filter(name => !splitSites.some(split => name.endsWith(split)))
      model.run(tokens, { hooks: Object.fromEntries(plain.map(name => [name, look])) }).dispose()
      expect(visited).toEqual(plain)
      visited.length = 0
      const split = names.filter(isSplit)
      model.run(tokens, { hooks: Object.fromEntries(split.map(name => [name, look])) }).dispose()
      expect(visited).toEqual(split)
    }),
  )

  test(
    'gives the same logits whichever site is looked at, and stops at any with the value a hook there sees',
    withModel((model, tokens) =>
      tf.tidy(() => {
        const logits = model.run(tokens)
        for (const { name } of model.sites.filter(site => isTried(family, site.name))) {
          let seen: Tensor | undefined
          const until = model.run(tokens, { until: name })
          const hooks = {
            [name]: (value: Tensor) => {
              seen ??= tf.keep(value.clone())
              return undefined
            },
          }
          expect(largest(logits, model.run(tokens, { hooks })), name).toBeLessThan(1e-5)
          expect(until.shape).toEqual(seen!.shape)
          expect(until.equal(seen!).all().dataSync()[0], name).toBe(1)
          seen!.dispose()
        }
      }),
    ),
  )

  test(
    'lets a hook edit one row of the batch at any site, and only that row changes',
    withModel((model, tokens) =>
      tf.tidy(() => {
        const logits = model.run(tokens)
        for (const { name } of model.sites.filter(site => isTried(family, site.name))) {
          const hook: Hook = value => {
            const [first, rest] = tf.split(value, [1, 1])
            return tf.concat([first!.mul(factors(first!, name)), rest!])
          }
          const edited = model.run(tokens, { hooks: { [name]: hook } })
          const change = edited.sub(logits).abs().max([1, 2]).dataSync()
          expect(change[0], name).toBeGreaterThan(1e-4)
          expect(change[1], name).toBeLessThan(1e-5)
        }
      }),
    ),
  )

  test(
    'goes on from a stored residual as if it had come there itself',
    withModel((model, tokens) =>
      tf.tidy(() => {
        const logits = model.run(tokens)
        for (const site of ['blocks.0.hook_resid_pre', 'blocks.0.hook_resid_post', 'blocks.1.hook_resid_post']) {
          const value = model.run(tokens, { until: site }) as Tensor3D
          expect(largest(model.run(tokens, { from: { site, value } }), logits), site).toBe(0)
          const doubled = { [site]: (x: Tensor) => x.mul(2) }
          const viaHook = model.run(tokens, { hooks: doubled })
          expect(largest(model.run(tokens, { from: { site, value }, hooks: doubled }), viaHook), site).toBe(0)
        }
      }),
    ),
  )

  test(
    'has a gradient at every site that finite differences confirm',
    withModel((model, tokens) => {
      const step = 6e-3
      for (const { name } of model.sites.filter(site => isDifferentiated(family, site.name))) {
        const [slope, difference] = tf.tidy(() => {
          const shape = model.run(tokens, { until: name }).shape
          const weights = tf.tensor(new Random(name, 'out').normals(110), [2, 5, 11])
          const direction = tf.tensor(new Random(name, 'direction').normals(shape.reduce((a, b) => a * b, 1)), shape)
          const loss = (shift: Tensor) =>
            model
              .run(tokens, { hooks: { [name]: value => value.add(shift) } })
              .mul(weights)
              .mean()
              .asScalar()
          const gradient = tf.grad(loss)(tf.zeros(shape))
          const length = direction.norm().dataSync()[0]!
          const unit = direction.div(length)
          const central = (h: number) =>
            loss(unit.mul(h))
              .sub(loss(unit.mul(-h)))
              .dataSync()[0]! /
            (2 * h)
          // Richardson: the error of second order cancels, which 1/scale makes large.
          const difference = (4 * central(step / 2) - central(step)) / 3
          return [gradient.mul(unit).sum().dataSync()[0]!, difference]
        })
        expect(Math.abs(slope - difference), `${name}: ${slope} against ${difference}`).toBeLessThan(
          2e-4 + 0.01 * Math.abs(difference),
        )
      }
    }),
  )
})

test('the gradient test can fail: a site cut off from the tape has none', () => {
  const model = smallModel('gpt2')
  const tokens = tokensOf()
  const cut = (shift: Tensor) =>
    model
      .run(tokens, {
        hooks: { 'blocks.0.hook_resid_post': value => value.add(tf.tensor(shift.dataSync(), shift.shape)) },
      })
      .mean()
      .asScalar()
  expect(() => tf.grad(cut)(tf.zeros([2, 5, 8]))).toThrow()
  model.dispose()
  tokens.dispose()
})

test('grouped keys have no common input for each query head, single ones have', () => {
  const names = (family: string) => {
    const model = smallModel(family)
    model.dispose()
    return model.sites.map(({ name }) => name)
  }
  expect(names('gpt2')).toContain('blocks.0.hook_attn_in')
  expect(names('llama')).not.toContain('blocks.0.hook_attn_in')
  expect(names('gpt_neox')).not.toContain('blocks.0.hook_resid_mid')
  expect(names('gemma2')).toContain('blocks.1.ln2_post.hook_scale')
})

describe("the MLP's own input and output, in float64 from the values around them", () => {
  /** Gains and biases of the norm before the MLP in layer 1, how it norms, and the down projection. */
  const places: Record<string, { norm: string; plusOne?: boolean; centred?: boolean; out: string; layout?: 'in-out' }> =
    {
      gpt2: { norm: 'transformer.h.1.ln_2', centred: true, out: 'transformer.h.1.mlp.c_proj', layout: 'in-out' },
      gpt_neox: {
        norm: 'gpt_neox.layers.1.post_attention_layernorm',
        centred: true,
        out: 'gpt_neox.layers.1.mlp.dense_4h_to_h',
      },
      llama: { norm: 'model.layers.1.post_attention_layernorm', out: 'model.layers.1.mlp.down_proj' },
      gemma2: { norm: 'model.layers.1.pre_feedforward_layernorm', plusOne: true, out: 'model.layers.1.mlp.down_proj' },
      gemma3_text: {
        norm: 'model.layers.1.pre_feedforward_layernorm',
        plusOne: true,
        out: 'model.layers.1.mlp.down_proj',
      },
    }
  const epsilons: Record<string, number> = { gpt2: 1e-5, gpt_neox: 1e-5 }

  test.each(Object.entries(places))('%s', (family, { norm, plusOne, centred, out, layout }) => {
    const model = smallModel(family)
    const tokens = tokensOf()
    const rows = (site: string) =>
      tf.tidy(() => {
        const value = model.run(tokens, { until: `blocks.1.${site}` })
        return value.reshape([-1, value.shape.at(-1)!]).arraySync() as number[][]
      })
    const weight = (name: string) => model.weights[name]?.arraySync()
    const gain = (weight(`${norm}.weight`) as number[]).map(value => value + (plusOne ? 1 : 0))
    const bias = weight(`${norm}.bias`) as number[] | undefined
    const mean = (row: number[]) => row.reduce((sum, value) => sum + value, 0) / row.length
    const inputs = rows('hook_mlp_in').map(row => {
      const shifted = row.map(value => value - (centred ? mean(row) : 0))
      const divisor = Math.sqrt(mean(shifted.map(value => value ** 2)) + (epsilons[family] ?? 1e-6))
      return shifted.map((value, i) => (value / divisor) * gain[i]! + (bias?.[i] ?? 0))
    })
    const close = (actual: number[][], expected: number[][]) => {
      for (const [at, row] of actual.entries())
        for (const [i, value] of row.entries()) expect(value).toBeCloseTo(expected[at]![i]!, 4)
    }
    close(rows('mlp.hook_in'), inputs)

    const matrix = weight(`${out}.weight`) as number[][]
    const added = weight(`${out}.bias`) as number[] | undefined
    const outputs = rows('mlp.hook_post').map(post =>
      Array.from({ length: 8 }, (_, to) =>
        post.reduce((sum, x, from) => sum + x * (layout ? matrix[from]![to]! : matrix[to]![from]!), added?.[to] ?? 0),
      ),
    )
    close(rows('mlp.hook_out'), outputs)
    // Only the Gemmas norm what the MLP adds.
    const difference = Math.abs(rows('hook_mlp_out')[0]![0]! - outputs[0]![0]!)
    if (plusOne) expect(difference).toBeGreaterThan(1e-3)
    else expect(difference).toBeLessThan(1e-5)
    model.dispose()
    tokens.dispose()
  })
})
