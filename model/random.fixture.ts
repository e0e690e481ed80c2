/** Small models of every family with random weights, for tests that need no files. */
import { Random } from '../core/random.ts'
import { type Tensor, tf } from '../engine/tf.ts'
import { buildModel } from './build.ts'
import { architectureOf } from './families/index.ts'
import type { Model } from './model.ts'
import { expectedShapes } from './weights.ts'

/** Sizes that a config of any Llama-like family may have. */
export const decoderConfigs = {
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 16,
  vocab_size: 11,
}

/** One config a family, each with what is special about it. */
export const smallConfigs: Record<string, Record<string, unknown>> = {
  gpt2: { model_type: 'gpt2', n_embd: 8, n_head: 2, n_layer: 2, n_positions: 16, vocab_size: 11 },
  llama: { model_type: 'llama', ...decoderConfigs, head_dim: 6, attention_bias: true },
  mistral: { model_type: 'mistral', ...decoderConfigs, sliding_window: 3 },
  qwen2: { model_type: 'qwen2', ...decoderConfigs, tie_word_embeddings: true },
  qwen3: { model_type: 'qwen3', ...decoderConfigs, head_dim: 4 },
  gemma2: {
    model_type: 'gemma2',
    ...decoderConfigs,
    head_dim: 4,
    query_pre_attn_scalar: 5,
    sliding_window: 3,
    attn_logit_softcapping: 2,
    final_logit_softcapping: 3,
  },
  gemma3_text: {
    model_type: 'gemma3_text',
    ...decoderConfigs,
    head_dim: 4,
    sliding_window: 3,
    sliding_window_pattern: 2,
  },
  gemma3: {
    model_type: 'gemma3',
    vision_config: { hidden_size: 4 },
    text_config: { ...decoderConfigs, head_dim: 4, sliding_window: 3, sliding_window_pattern: 2 },
  },
  gpt_neox: { model_type: 'gpt_neox', ...decoderConfigs, num_attention_heads: 2, rotary_pct: 0.5 },
}

/** Random weights for a config: gains near 1 (0 where 1 is added), the rest large enough that every term matters. */
export function randomWeights(config: unknown, seed = 0): Record<string, Tensor> {
  const random = new Random(seed, 'weights')
  const weights: Record<string, Tensor> = {}
  for (const [name, shape] of expectedShapes(architectureOf(config))) {
    const size = shape.reduce((product, n) => product * n, 1)
    const isGain = shape.length === 1 && name.endsWith('.weight')
    weights[name] = tf.tensor(
      random.normals(size, 0.4).map(value => (isGain ? 1 + value / 2 : value)),
      shape,
    )
  }
  return weights
}

/** A small model of a family. */
export function smallModel(family: string, seed = 0): Model {
  const config = smallConfigs[family]!
  return buildModel(config, randomWeights(config, seed), { path: `small ${family}`, hash: `${family}-${seed}` })
}
