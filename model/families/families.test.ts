import { describe, expect, test } from 'vitest'
import { decoderConfigs, smallConfigs } from '../random.fixture.ts'
import { alibiOf, alibiSlopes } from './alibi.ts'
import { readingOf } from './config.ts'
import { architectureOf, familyNames } from './index.ts'
import { rotaryOf } from './rope.ts'
import type { RopeScaling } from './rope-scalings.ts'

const frequenciesOf = (rope: RopeScaling, size: number) => rotaryOf(rope, size).frequencies(4)

/** An architecture as plain values: rotations and biases as what they give. */
const plain = (config: unknown) => {
  const { alibi, blocks, ...rest } = architectureOf(config)
  return {
    ...rest,
    alibi: alibi?.(5) ?? null,
    blocks: blocks.map(({ rotary, ...block }) => ({
      ...block,
      rotary: rotary && { ...rotary, frequencies: [rotary.frequencies(4), rotary.frequencies(4096)] },
    })),
  }
}

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
    expect(plain({ ...base, ...before })).toEqual(plain({ ...base, ...after }))
    expect(plain({ ...base, ...before })).not.toEqual(plain(base))
  })
})

describe('a key that no family reads is refused by its name, in every family', () => {
  const withoutRotation = ['bloom', 'gpt2', 'gpt_neo', 'gptj', 'opt']
  // Granite has the keys that the others refuse.
  const families = familyNames.filter(family => !['gemma3', 'granite'].includes(family))
  test.each(families)('%s', model_type => {
    const config = { ...smallConfigs[model_type], model_type }
    const refused = (keys: object, message: string) => {
      expect(() => architectureOf({ ...config, ...keys }), JSON.stringify(keys)).toThrow(message)
    }
    refused({ attention_multiplier: 0.5 }, 'the key attention_multiplier (0.5)')
    refused({ use_bidirectional_attention: true }, 'the key use_bidirectional_attention (true)')
    refused({ quantization_config: { bits: 4 } }, 'the key quantization_config ({"bits":4})')
    refused({ auto_map: { AutoModelForCausalLM: 'own.Model' } }, 'the key auto_map')
    refused({ is_encoder_decoder: true, logits_scaling: 4 }, 'is_encoder_decoder (true) and the key logits_scaling (4)')
    if (!withoutRotation.includes(model_type))
      refused({ rope_scaling: { rope_type: 'linear', factor: 2, beta: 1 } }, 'rope_scaling.beta')
    expect(
      plain({
        ...config,
        ...{ torch_dtype: 'bfloat16', use_cache: true, pad_token_id: 3, attention_dropout: 0.1, temperature: 0.7 },
        ...{ is_encoder_decoder: false, quantization_config: null, attention_multiplier: null, max_length: 20 },
        ...{ auto_map: { AutoTokenizer: 'own.Tokenizer' } },
      }),
    ).toEqual(plain(config))
  })

  test.each([
    ['phi3', { AutoConfig: 'own.Config', AutoModelForCausalLM: 'modeling_phi3.Phi3ForCausalLM' }],
    ['falcon', { AutoModel: 'modeling_falcon.FalconModel' }],
    ['gpt2', { AutoModelForCausalLM: 'someone/repo--modeling_gpt2.GPT2LMHeadModel' }],
  ])('code of %s that is the family itself is no other model', (model_type, auto_map) => {
    const config = { ...smallConfigs[model_type], model_type }
    expect(plain({ ...config, auto_map })).toEqual(plain(config))
    expect(() => architectureOf({ ...smallConfigs.phi, auto_map })).toThrow('the key auto_map')
  })

  test.each([
    [
      'gpt2',
      {
        n_embd: 'hidden_size',
        n_head: 'num_attention_heads',
        n_layer: 'num_hidden_layers',
        n_positions: 'max_position_embeddings',
      },
    ],
    ['gptj', { n_embd: 'hidden_size', n_head: 'num_attention_heads', n_layer: 'num_hidden_layers' }],
    ['gpt_neo', { num_heads: 'num_attention_heads', num_layers: 'num_hidden_layers' }],
    ['bloom', { n_head: 'num_attention_heads', n_layer: 'num_hidden_layers' }],
    ['mixtral', { num_local_experts: 'num_experts' }],
  ])('sizes of %s may have the names that other families give them', (model_type, names: Record<string, string>) => {
    const config: Record<string, unknown> = { ...smallConfigs[model_type], model_type }
    const renamed = Object.fromEntries(Object.entries(config).map(([key, value]) => [names[key] ?? key, value]))
    expect(plain(renamed)).toEqual(plain(config))
    const [key, other] = Object.entries(names)[0]!
    expect(plain({ ...renamed, [key]: null })).toEqual(plain(config))
    expect(() => architectureOf({ ...config, [other]: 99 })).toThrow(`the key ${other} (99)`)
  })

  test.each([
    ['phi3', { full_attn_mod: 1, interpolate_factor: 1, lm_head_bias: false }, { lm_head_bias: true }],
    ['gpt_neox', { attention_probs_dropout_prob: 0, hidden_dropout_prob: 0 }, { dropout: 0 }],
    ['smollm3', { max_window_layers: 28 }, { max_layers: 28 }],
    ['llama', { activation: 'swiglu' }, { activation: 'geglu' }],
  ])('keys that published files of %s have and nothing reads are let pass', (model_type, keys, refused) => {
    const config = { ...smallConfigs[model_type], model_type }
    expect(plain({ ...config, ...keys })).toEqual(plain(config))
    expect(() => architectureOf({ ...config, ...refused })).toThrow(`the key ${Object.keys(refused)[0]}`)
  })

  test('keys of one family are not harmless in another', () => {
    const of = (model_type: string, keys: object) => () => architectureOf({ ...decoderConfigs, model_type, ...keys })
    expect(of('llama', { sliding_window: 8 })).toThrow('the key sliding_window (8)')
    expect(of('llama', { layer_types: ['full_attention', 'sliding_attention'] })).toThrow('the key layer_types')
    expect(of('llama', { partial_rotary_factor: 0.5 })).toThrow('the key partial_rotary_factor (0.5)')
    expect(of('llama', { rope_scaling: { rope_type: 'linear', factor: 2, partial_rotary_factor: 0.5 } })).toThrow(
      'a partial_rotary_factor of 0.5',
    )
    expect(of('llama', { rope_scaling: { rope_type: 'default', factor: 2 } })).toThrow('does not read factor')
    expect(of('mistral', { attention_bias: true })).toThrow('the key attention_bias (true)')
    expect(of('mistral', { layer_types: ['full_attention', 'sliding_attention'] })).toThrow('the key layer_types')
    expect(of('qwen2', { layer_types: ['full_attention', 'sliding_attention'] })).toThrow('no sliding_window')
    expect(of('gemma3_text', { head_dim: 4, _sliding_window_pattern: 3 })).toThrow(
      'the key _sliding_window_pattern (3)',
    )
    expect(of('gpt_neox', { num_attention_heads: 2, rope_theta: 500 })).toThrow('a rope_theta of 500')
    expect(of('gpt_neox', { num_attention_heads: 2, rotary_pct: 0.5, partial_rotary_factor: 0.25 })).toThrow(
      'a partial_rotary_factor of 0.25',
    )
    expect(() => architectureOf({ ...smallConfigs.gpt2, hidden_size: 16 })).toThrow('the key hidden_size (16)')
    expect(() => architectureOf({ ...smallConfigs.gemma3, mlp_bias: true })).toThrow('the key mlp_bias (true)')
    const text = { ...(smallConfigs.gemma3!.text_config as object), final_logit_softcapping: 30 }
    expect(() => architectureOf({ ...smallConfigs.gemma3, text_config: text })).toThrow('final_logit_softcapping 30')
  })
})

test('heads that cannot be rotated in pairs are refused', () => {
  const llama = { ...decoderConfigs, model_type: 'llama' }
  expect(() => architectureOf({ ...llama, head_dim: 5 })).toThrow('heads of 5 elements')
  expect(() => architectureOf({ ...llama, num_attention_heads: 16 })).toThrow('heads of 0 elements')
  const neox = { ...decoderConfigs, model_type: 'gpt_neox', hidden_size: 15, num_attention_heads: 5, rotary_pct: 1 }
  expect(() => architectureOf({ ...neox, num_key_value_heads: 5 })).toThrow('rotates 3 elements in pairs')
})

const windows = (config: object) => architectureOf(config).blocks.map(({ window }) => window)

test('which layers slide', () => {
  const four = { ...decoderConfigs, num_hidden_layers: 4, sliding_window: 3 }
  expect(windows({ ...four, model_type: 'mistral' })).toEqual([3, 3, 3, 3])
  expect(windows({ ...four, model_type: 'mistral', sliding_window: null })).toEqual([null, null, null, null])
  expect(windows({ ...four, model_type: 'mistral', sliding_window: undefined })).toEqual([4096, 4096, 4096, 4096])
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
  test('of an odd size have a last pair too', () =>
    expect([...frequenciesOf({ rope_theta: 32 }, 5)]).toEqual([1, 0.25, 0.0625]))
  test('are divided by a linear factor', () =>
    expect([...frequenciesOf({ rope_theta: 10000, rope_type: 'linear', factor: 8 }, 2)]).toEqual([0.125]))
  test('scale by wavelength in Llama 3: short ones stay, long ones are divided, between they pass over', () => {
    const rope = { rope_theta: 10000, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 }
    const scaled = frequenciesOf({ ...rope, rope_type: 'llama3', factor: 8 }, 8)
    const plain = frequenciesOf({ rope_theta: 10000 }, 8)
    // Wavelengths 6.3, 63, 628, 6283 against 64/4 and 64/1.
    expect(scaled[0]).toBe(plain[0])
    expect(scaled[1]! / plain[1]!).toBeCloseTo((1 - 0.00619) / 8 + 0.00619, 4)
    expect(scaled[3]! / plain[3]!).toBeCloseTo(1 / 8, 6)
  })
  test('refuse a type without its numbers', () =>
    expect(() => frequenciesOf({ rope_type: 'linear' }, 4)).toThrow('rope type linear but no factor'))
})

describe('stretched rotations', () => {
  test('of LongRoPE have other factors beyond the original window, and longer queries and keys', () => {
    const rope = { rope_type: 'longrope', short_factor: [1, 2], long_factor: [4, 8], rope_theta: 100 }
    const rotary = rotaryOf({ ...rope, original_max_position_embeddings: 4, max_position_embeddings: 16 }, 4)
    expect([...rotary.frequencies(4)]).toEqual([1, Math.fround(0.05)])
    expect([...rotary.frequencies(5)]).toEqual([0.25, Math.fround(0.0125)])
    expect(rotary.factor).toBeCloseTo(Math.sqrt(1 + Math.log(4) / Math.log(4)), 12)
    expect(() => rotaryOf({ ...rope, original_max_position_embeddings: 4 }, 8)).toThrow('2 numbers in short_factor')
  })
  test('by length keep the base within the window and raise it beyond', () => {
    const rope = { rope_type: 'dynamic', factor: 2, rope_theta: 100, max_position_embeddings: 8 }
    const { frequencies } = rotaryOf(rope, 4)
    expect([...frequencies(8)]).toEqual([...frequencies(3)])
    // base · (2 · 16 / 8 − 1)^(4/2) = 900.
    expect(frequencies(16)[1]).toBeCloseTo(1 / 30, 7)
    const config = { ...decoderConfigs, model_type: 'llama', rope_scaling: { rope_type: 'dynamic', factor: 2 } }
    expect(architectureOf(config).config.context).toBe(32)
  })
  test('of YaRN lead to the longer of what the config says and what its factor makes of the original window', () => {
    const contextOf = (factor: number, original_max_position_embeddings?: number) => {
      const rope_scaling = { type: 'yarn', factor, original_max_position_embeddings }
      return architectureOf({ ...decoderConfigs, model_type: 'llama', rope_scaling }).config.context
    }
    expect([contextOf(4, 16), contextOf(2, 4), contextOf(4)]).toEqual([64, 16, 16])
  })
  test('of YaRN leave pairs that turn often and divide those that turn seldom', () => {
    const rope = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64, rope_theta: 10000 }
    const { frequencies, factor } = rotaryOf(rope, 16)
    const plain = rotaryOf({ rope_theta: 10000 }, 16).frequencies(1)
    const ratios = [...frequencies(1)].map((frequency, i) => frequency / plain[i]!)
    expect(ratios[0]).toBeCloseTo(1, 6)
    expect(ratios[7]).toBeCloseTo(1 / 4, 6)
    expect(factor).toBeCloseTo(0.1 * Math.log(4) + 1, 12)
    expect(() => rotaryOf(rope, 3)).toThrow('rotates 3 elements of each head by the rope type yarn')
  })
})

test('slopes of linear biases are a geometric series, filled up from between where the heads are no power of two', () => {
  expect(alibiSlopes(8)).toEqual([0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625])
  expect(alibiSlopes(3)).toEqual([0.0625, 0.00390625, 0.25])
  expect([...alibiOf(2)(3)]).toEqual([0, 0.0625, 0.125, 0, 0.00390625, 0.0078125])
})

describe('what a family has that is not computed here is refused', () => {
  test.each<[string, object, string]>([
    ['opt', { do_layer_norm_before: false }, 'do_layer_norm_before false'],
    ['opt', { word_embed_proj_dim: 4 }, 'a word_embed_proj_dim of 4'],
    ['opt', { _remove_final_layer_norm: true }, 'the key _remove_final_layer_norm (true)'],
    ['bloom', { slow_but_exact: true, pretraining_tp: 2 }, 'slow_but_exact true and pretraining_tp 2'],
    ['bloom', { apply_residual_connection_post_layernorm: true }, 'apply_residual_connection_post_layernorm true'],
    ['falcon', { parallel_attn: false }, 'new_decoder_architecture without parallel_attn'],
    ['falcon', { new_decoder_architecture: false, num_ln_in_parallel_attn: 2 }, 'num_ln_in_parallel_attn 2'],
    ['gptj', { rotary_dim: 6 }, 'rotates 6 elements'],
    ['gpt_neo', { num_layers: 3 }, 'attention_types name another number'],
    ['gpt_oss', { quantization_config: { quant_method: 'mxfp4' } }, 'the key quantization_config'],
    ['mixtral', { num_experts_per_tok: 5 }, 'num_experts_per_tok must not be more'],
    ['phi', { partial_rotary_factor: 0.25 }, 'rotates 1 elements'],
    ['smollm3', { no_rope_layers: [1] }, '1 no_rope_layers'],
    ['stablelm', { norm_eps: 1e-3 }, 'the key norm_eps'],
  ])('%s %j', (family, keys, message) => {
    expect(() => architectureOf({ ...smallConfigs[family], ...keys }).blocks[0]!.rotary).toThrow(message)
  })
})

test('what was read, defaulted and ignored of a config can be asked for', () => {
  const config = {
    ...decoderConfigs,
    model_type: 'llama',
    torch_dtype: 'float32',
    rope_theta: null,
    hidden_act: 'relu',
  }
  architectureOf(config)
  const { read, defaulted, ignored } = readingOf(config)!
  expect(read).toEqual({ ...decoderConfigs, hidden_act: 'relu' })
  expect(defaulted).toEqual({ rms_norm_eps: 1e-6, attention_bias: false, mlp_bias: false, tie_word_embeddings: false })
  expect(ignored).toEqual(['model_type', 'torch_dtype'])
  expect(readingOf({ ...config })).toBeUndefined()
})
