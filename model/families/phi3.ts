/**
 * Phi 3, 3.5 and 4: Llama with q|k|v in one product and gate|up in another, no biases, and LongRoPE in the models with long
 * windows.
 */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf, withBlocks } from './decoder.ts'
import { type Harmless, only } from './known-keys.ts'
import { linear } from './names.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, rotatedOf } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  rms_norm_eps: z.number().default(1e-5),
  hidden_act: ActivationName.prefault('silu'),
  partial_rotary_factor: z.number().gt(0).max(1).nullish(),
  original_max_position_embeddings: z.number().positive().default(4096),
  sliding_window: z.int().min(1).nullish(),
  tie_word_embeddings: z.boolean().default(false),
})

const own: Harmless = {
  attention_bias: only(false),
  mlp_bias: only(false),
  rope_interleaved: only(false),
  // Of Phi 4 mini, for its own code: what is done anyway.
  lm_head_bias: only(false),
  full_attn_mod: only(1),
  interpolate_factor: only(1),
}

export function phi3(config: unknown): Outline {
  const c = readConfig(Config, config, 'phi3', own)
  const headDim = headDimOf(c)
  const rotary = once(() => {
    const rope = ropeOf(c)
    const type = rope.rope_type ?? rope.type ?? 'default'
    // The oldest files call LongRoPE by other names.
    const rope_type = type === 'su' || type === 'yarn' ? 'longrope' : type
    const share = rope.partial_rotary_factor ?? c.partial_rotary_factor ?? 1
    return rotaryOf({ ...rope, rope_type }, rotatedOf(headDim, share))
  })
  const outline = decoder(c, {
    family: 'phi3',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary,
    window: c.sliding_window ?? null,
    slides: () => true,
  })
  return withBlocks(outline, (_, at) => ({
    projection: { form: 'together', qkv: linear(`${at}.self_attn.qkv_proj`, false) },
    mlp: {
      form: 'fused',
      gateUp: linear(`${at}.mlp.gate_up_proj`, false),
      out: linear(`${at}.mlp.down_proj`, false),
    },
  }))
}
