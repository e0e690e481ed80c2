import { describe, expect, test } from 'vitest'
import { decoderConfigs, smallConfigs } from '../random.fixture.ts'
import { architectureOf, familyNames } from './index.ts'
import { frequenciesOf } from './rope.ts'

test('every family has a small config that the tests of sites run', () => {
  expect(Object.keys(smallConfigs).sort()).toEqual([...familyNames])
})

describe('the older and the newer form of a config are the same architecture', () => {
  const old = { ...decoderConfigs, hidden_size: 64, head_dim: 16 }
  test.each<[string, object, object]>([
    ['llama', { rope_theta: 5e5, rope_scaling: null }, { rope_parameters: { rope_type: 'default', rope_theta: 5e5 } }],
    [
      'llama',
      { rope_theta: 1e4, rope_scaling: { type: 'linear', factor: 4 } },
      { rope_parameters: { rope_type: 'linear', factor: 4, rope_theta: 1e4 } },
    ],
    [
      'gemma2',
      { rope_theta: 2e4 },
      {
        rope_parameters: { rope_type: 'default', rope_theta: 2e4 },
        layer_types: ['sliding_attention', 'full_attention'],
      },
    ],
    [
      'gemma3_text',
      {
        sliding_window_pattern: 2,
        rope_theta: 1e6,
        rope_local_base_freq: 1e4,
        rope_scaling: { rope_type: 'linear', factor: 8 },
      },
      {
        layer_types: ['sliding_attention', 'full_attention'],
        rope_parameters: {
          full_attention: { rope_type: 'linear', factor: 8, rope_theta: 1e6 },
          sliding_attention: { rope_type: 'default', rope_theta: 1e4 },
        },
      },
    ],
    [
      'gpt_neox',
      { rotary_pct: 0.5, rotary_emb_base: 5e3 },
      { rope_parameters: { rope_theta: 5e3, partial_rotary_factor: 0.5 } },
    ],
  ])('%s %j', (model_type, before, after) => {
    const base = { ...old, model_type, num_key_value_heads: model_type === 'gpt_neox' ? undefined : 2 }
    expect(architectureOf({ ...base, ...before })).toEqual(architectureOf({ ...base, ...after }))
    expect(architectureOf({ ...base, ...before })).not.toEqual(architectureOf(base))
  })
})

const windows = (config: object) => architectureOf(config).blocks.map(({ window }) => window)

test('which layers slide', () => {
  const four = { ...decoderConfigs, num_hidden_layers: 4, sliding_window: 3 }
  expect(windows({ ...four, model_type: 'mistral' })).toEqual([3, 3, 3, 3])
  expect(windows({ ...four, model_type: 'mistral', sliding_window: null })).toEqual([null, null, null, null])
  expect(windows({ ...four, model_type: 'gemma2' })).toEqual([3, null, 3, null])
  expect(windows({ ...four, model_type: 'gemma3_text', sliding_window_pattern: 3 })).toEqual([3, 3, null, 3])
  expect(windows({ ...four, model_type: 'qwen2' })).toEqual([null, null, null, null])
  expect(windows({ ...four, model_type: 'qwen2', use_sliding_window: true, max_window_layers: 3 })).toEqual([
    null,
    null,
    null,
    3,
  ])
})

test('what the model begins and ends with may be one id, the first of several, or none', () => {
  const config = (bos_token_id?: unknown) =>
    architectureOf({ ...decoderConfigs, model_type: 'llama', bos_token_id }).config.bosToken
  expect([config(1), config([5, 6]), config(null), config()]).toEqual([1, 5, null, null])
})

describe('rotary frequencies', () => {
  test('fall from 1 by equal ratios', () => {
    expect([...frequenciesOf({ rope_theta: 10000 }, 4)]).toEqual([1, Math.fround(0.01)])
    expect(frequenciesOf({ rope_theta: 256 }, 16)[4]).toBeCloseTo(1 / 16, 8)
  })
  test('are divided by a linear factor', () =>
    expect([...frequenciesOf({ rope_theta: 10000, rope_type: 'linear', factor: 8 }, 2)]).toEqual([0.125]))
  test('scale by wavelength in Llama 3: short ones stay, long ones are divided, between they pass over', () => {
    const rope = { rope_theta: 10000, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 }
    const scaled = frequenciesOf({ ...rope, rope_type: 'llama3', factor: 8 }, 8)
    const plain = frequenciesOf(rope, 8)
    // Wavelengths 6.3, 63, 628, 6283 against 64/4 and 64/1.
    expect(scaled[0]).toBe(plain[0])
    expect(scaled[1]! / plain[1]!).toBeCloseTo((1 - 0.00619) / 8 + 0.00619, 4)
    expect(scaled[3]! / plain[3]!).toBeCloseTo(1 / 8, 6)
  })
  test('refuse a type without its numbers', () =>
    expect(() => frequenciesOf({ rope_type: 'linear' }, 4)).toThrow('rope type linear but no factor'))
})
