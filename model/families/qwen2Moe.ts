/**
 * Qwen 2 MoE (Qwen 1.5 MoE): Qwen 2 with mixtures of experts, beside them an expert that every token has, gated; layers between
 * may have a plain MLP.
 */
import { z } from 'zod'
import type { NeuronNames, Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf, Layers, withBlocks } from './decoder.ts'
import { any, type Harmless, only } from './known-keys.ts'
import { linear, togetherIn } from './names.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  ...Layers,
  num_key_value_heads: z.int().min(1).nullable().default(16),
  hidden_act: ActivationName.prefault('silu'),
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.int().min(0).nullable().default(4096),
  max_window_layers: z.int().min(0).default(28),
  qkv_bias: z.boolean().default(true),
  decoder_sparse_step: z.int().min(1).default(1),
  mlp_only_layers: z.array(z.int().min(0)).nullish(),
  moe_intermediate_size: z.int().min(1).default(1408),
  shared_expert_intermediate_size: z.int().min(1).default(5632),
  num_experts: z.int().min(0).default(60),
  num_experts_per_tok: z.int().min(1).default(4),
  norm_topk_prob: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
}).refine(c => c.num_experts === 0 || c.num_experts_per_tok <= c.num_experts, {
  error: 'num_experts_per_tok must not be more than num_experts',
})

const own: Harmless = {
  ...wholeHeads,
  mlp_bias: only(false),
  use_mrope: only(false),
  output_router_logits: any,
  router_aux_loss_coef: any,
}

const neurons = (name: string): NeuronNames => ({
  form: 'neurons',
  gate: linear(`${name}.gate_proj`, false),
  in: linear(`${name}.up_proj`, false),
  out: linear(`${name}.down_proj`, false),
})

export function qwen2Moe(config: unknown): Outline {
  const c = readConfig(Config, config, 'qwen2_moe', own)
  const isMixed = (layer: number) =>
    !c.mlp_only_layers?.includes(layer) && c.num_experts > 0 && (layer + 1) % c.decoder_sparse_step === 0
  // Where every layer is mixed nothing has the width of a plain MLP, whatever the config says of it.
  const allMixed = Array.from({ length: c.num_hidden_layers }, (_, layer) => layer).every(isMixed)
  const sizes = allMixed ? { ...c, intermediate_size: c.moe_intermediate_size } : c
  const outline = decoder(sizes, {
    family: 'qwen2_moe',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c)), headDimOf(c))),
    bias: { qkv: c.qkv_bias },
    window: c.use_sliding_window ? c.sliding_window || null : null,
    slides: layer => layer % 2 === 0 && layer < c.max_window_layers,
  })
  return withBlocks(outline, (layer, at) =>
    isMixed(layer)
      ? {
          mlp: {
            form: 'experts',
            router: linear(`${at}.mlp.gate`, false),
            experts: {
              form: 'listed',
              experts: Array.from({ length: c.num_experts }, (_, expert) => neurons(`${at}.mlp.experts.${expert}`)),
              together: togetherIn(at),
            },
            count: c.num_experts,
            expertWidth: c.moe_intermediate_size,
            perToken: c.num_experts_per_tok,
            weights: c.norm_topk_prob ? 'renormalised' : 'probabilities',
            shared: {
              neurons: neurons(`${at}.mlp.shared_expert`),
              width: c.shared_expert_intermediate_size,
              gate: linear(`${at}.mlp.shared_expert_gate`, false),
            },
          },
        }
      : {},
  )
}
