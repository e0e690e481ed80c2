/** Mixtral: Mistral with a mixture of experts for an MLP; a token's weights are those of its experts, made to sum to one. */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf, withBlocks } from './decoder.ts'
import { any, type Harmless, only, sameAs } from './known-keys.ts'
import { linear, togetherIn } from './names.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  num_key_value_heads: z.int().min(1).nullable().default(8),
  rms_norm_eps: z.number().default(1e-5),
  hidden_act: ActivationName.prefault('silu'),
  sliding_window: z.int().min(1).nullish(),
  num_local_experts: z.int().min(1).default(8),
  num_experts_per_tok: z.int().min(1).default(2),
  tie_word_embeddings: z.boolean().default(false),
}).refine(c => c.num_experts_per_tok <= c.num_local_experts, {
  error: 'num_experts_per_tok must not be more than num_local_experts',
})

const own: Harmless = {
  ...wholeHeads,
  attention_bias: only(false),
  mlp_bias: only(false),
  num_experts: sameAs('num_local_experts'),
  // Of training: what a router is punished for, and noise of its input.
  output_router_logits: any,
  router_aux_loss_coef: any,
  router_jitter_noise: any,
}

export function mixtral(config: unknown): Outline {
  const c = readConfig(Config, config, 'mixtral', own, { otherNames: { num_experts: 'num_local_experts' } })
  const outline = decoder(c, {
    family: 'mixtral',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c, 1_000_000)), headDimOf(c))),
    window: c.sliding_window ?? null,
    slides: () => true,
  })
  return withBlocks(outline, (_, at) => ({
    mlp: {
      form: 'experts',
      router: linear(`${at}.block_sparse_moe.gate`, false),
      experts: {
        form: 'listed',
        experts: Array.from({ length: c.num_local_experts }, (_, expert) => {
          const name = `${at}.block_sparse_moe.experts.${expert}`
          return {
            form: 'neurons' as const,
            gate: linear(`${name}.w1`, false),
            in: linear(`${name}.w3`, false),
            out: linear(`${name}.w2`, false),
          }
        }),
        together: togetherIn(at),
      },
      count: c.num_local_experts,
      expertWidth: c.intermediate_size,
      perToken: c.num_experts_per_tok,
      weights: 'renormalised',
      shared: null,
    },
  }))
}
