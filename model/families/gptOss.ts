/**
 * gpt-oss: alternating windows, a sink beside the keys of each head, YaRN, and mixtures of experts with biases and a clipped
 * gate. Weights in MXFP4 are refused with their `quantization_config`; a copy in BF16 is read.
 */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { readConfig } from './config.ts'
import { Decoder, decoder, Layers, withBlocks } from './decoder.ts'
import { any, type Harmless, only, sameAs } from './known-keys.ts'
import { linear } from './names.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  ...Layers,
  num_key_value_heads: z.int().min(1).nullable().default(8),
  head_dim: z.int().min(1).default(64),
  rms_norm_eps: z.number().default(1e-5),
  sliding_window: z.int().min(1).nullable().default(128),
  num_local_experts: z.int().min(1).default(128),
  num_experts_per_tok: z.int().min(1).default(4),
  swiglu_alpha: z.number().default(1.702),
  swiglu_limit: z.number().positive().default(7),
  attention_bias: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(false),
}).refine(c => c.num_experts_per_tok <= c.num_local_experts, {
  error: 'num_experts_per_tok must not be more than num_local_experts',
})

const own: Harmless = {
  ...wholeHeads,
  // The experts have a gate of their own.
  hidden_act: only('silu'),
  num_experts: sameAs('num_local_experts'),
  experts_per_token: (value, { num_experts_per_tok }) => value === (num_experts_per_tok ?? 4),
  initial_context_length: (value, { rope_scaling, rope_parameters }) =>
    value === ((rope_scaling ?? rope_parameters) as Record<string, unknown>)?.original_max_position_embeddings,
  output_router_logits: any,
  router_aux_loss_coef: any,
}

/** What a config without settings of its rotation means. */
const defaultRope = {
  rope_type: 'yarn',
  factor: 32,
  beta_fast: 32,
  beta_slow: 1,
  truncate: false,
  original_max_position_embeddings: 4096,
}

export function gptOss(config: unknown): Outline {
  const c = readConfig(Config, config, 'gpt_oss', own, { otherNames: { num_experts: 'num_local_experts' } })
  const rope = { ...c, rope_parameters: c.rope_parameters ?? defaultRope }
  const outline = decoder(c, {
    family: 'gpt_oss',
    tied: c.tie_word_embeddings,
    activation: 'silu',
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(rope, 150_000)), c.head_dim)),
    bias: { qkv: c.attention_bias, output: c.attention_bias },
    window: c.sliding_window,
    slides: layer => layer % 2 === 0,
  })
  return withBlocks(outline, (_, at) => ({
    sinks: `${at}.self_attn.sinks`,
    mlp: {
      form: 'experts',
      router: linear(`${at}.mlp.router`),
      experts: {
        form: 'stacked',
        gateUp: `${at}.mlp.experts.gate_up_proj`,
        gateUpBias: `${at}.mlp.experts.gate_up_proj_bias`,
        down: `${at}.mlp.experts.down_proj`,
        downBias: `${at}.mlp.experts.down_proj_bias`,
        alpha: c.swiglu_alpha,
        limit: c.swiglu_limit,
      },
      count: c.num_local_experts,
      expertWidth: c.intermediate_size,
      perToken: c.num_experts_per_tok,
      weights: 'chosen',
      shared: null,
    },
  }))
}
