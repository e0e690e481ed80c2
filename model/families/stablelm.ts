/**
 * StableLM: layer norms with bias, rotation of the first quarter of each head, in some models attention and MLP side by side
 * on one norm's output, and norms of each head's queries and keys.
 */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf, withBlocks } from './decoder.ts'
import { type Harmless, only, sameAs } from './known-keys.ts'
import { norm } from './names.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, rotatedOf } from './rope.ts'

const Config = Decoder.omit({ rms_norm_eps: true, head_dim: true }).extend({
  ...Rope,
  num_key_value_heads: z.int().min(1).default(32),
  partial_rotary_factor: z.number().gt(0).max(1).default(0.25),
  layer_norm_eps: z.number().default(1e-5),
  hidden_act: ActivationName.prefault('silu'),
  use_qkv_bias: z.boolean().default(false),
  qk_layernorm: z.boolean().default(false),
  use_parallel_residual: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
})

const own: Harmless = {
  rope_pct: sameAs('partial_rotary_factor', 0.25),
  norm_eps: sameAs('layer_norm_eps', 1e-5),
  rotary_scaling_factor: only(1),
  rope_interleaved: only(false),
}

export function stablelm(config: unknown): Outline {
  const c = readConfig(Config, config, 'stablelm', own)
  const headDim = headDimOf(c)
  const outline = decoder(c, {
    family: 'stablelm',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: once(() => {
      const rope = ropeOf(c)
      return rotaryOf(rope, rotatedOf(headDim, rope.partial_rotary_factor ?? c.partial_rotary_factor))
    }),
    bias: { qkv: c.use_qkv_bias },
    norm: { kind: 'layer', epsilon: c.layer_norm_eps, bias: true },
  })
  const headNorm = (name: string, heads: number) =>
    c.qk_layernorm
      ? ({ form: 'listed', gains: Array.from({ length: heads }, (_, head) => `${name}.norms.${head}.weight`) } as const)
      : null
  const blocks = withBlocks(outline, (_, at) => ({
    ...(c.use_parallel_residual ? { ln2: norm(`${at}.input_layernorm`) } : {}),
    qNorm: headNorm(`${at}.self_attn.q_layernorm`, c.num_attention_heads),
    kNorm: headNorm(`${at}.self_attn.k_layernorm`, c.num_key_value_heads),
  }))
  return { ...blocks, parallel: c.use_parallel_residual }
}
