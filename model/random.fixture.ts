/** Small models of every family with random weights, for tests that need no files. */
import { Random } from '../core/random.ts'
import { type Tensor, tf } from '../engine/tf.ts'
import { buildModel } from './build.ts'
import { architectureOf } from './families/index.ts'
import type { Model } from './model.ts'
import { expectedShapes } from './shapes.ts'

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

/** Heads whose norm leaves something of them. */
const wideHeads = { num_attention_heads: 2, num_key_value_heads: 1 }

const experts = { num_local_experts: 4, num_experts_per_tok: 2 }

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
  bloom: { model_type: 'bloom', hidden_size: 12, n_head: 3, n_layer: 2, seq_length: 16, vocab_size: 11 },
  cohere: { model_type: 'cohere', ...decoderConfigs, ...wideHeads, use_qk_norm: true, logit_scale: 1 },
  falcon: {
    model_type: 'falcon',
    hidden_size: 8,
    ffn_hidden_size: 12,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_kv_heads: 2,
    new_decoder_architecture: true,
    max_position_embeddings: 16,
    vocab_size: 11,
  },
  gemma: { model_type: 'gemma', ...decoderConfigs, head_dim: 4 },
  gpt_neo: {
    model_type: 'gpt_neo',
    hidden_size: 8,
    num_heads: 2,
    num_layers: 2,
    attention_types: [[['global', 'local'], 1]],
    window_size: 3,
    max_position_embeddings: 16,
    vocab_size: 11,
  },
  gpt_oss: { model_type: 'gpt_oss', ...decoderConfigs, ...experts, head_dim: 4, sliding_window: 3 },
  gptj: { model_type: 'gptj', n_embd: 8, n_head: 2, n_layer: 2, n_positions: 16, rotary_dim: 2, vocab_size: 11 },
  granite: { model_type: 'granite', ...decoderConfigs, residual_multiplier: 0.4, logits_scaling: 2 },
  mixtral: { model_type: 'mixtral', ...decoderConfigs, ...experts },
  olmo: { model_type: 'olmo', ...decoderConfigs, clip_qkv: 0.5 },
  olmo2: { model_type: 'olmo2', ...decoderConfigs },
  opt: {
    model_type: 'opt',
    hidden_size: 8,
    ffn_dim: 12,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    max_position_embeddings: 16,
    vocab_size: 11,
  },
  phi: { model_type: 'phi', ...decoderConfigs, ...wideHeads },
  phi3: { model_type: 'phi3', ...decoderConfigs, sliding_window: 3 },
  qwen2_moe: {
    model_type: 'qwen2_moe',
    ...decoderConfigs,
    num_experts: 4,
    num_experts_per_tok: 2,
    moe_intermediate_size: 6,
    shared_expert_intermediate_size: 10,
    decoder_sparse_step: 2,
  },
  smollm3: { model_type: 'smollm3', ...decoderConfigs, no_rope_layers: [1, 0] },
  stablelm: { model_type: 'stablelm', ...decoderConfigs, ...wideHeads, partial_rotary_factor: 0.5, qk_layernorm: true },
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
