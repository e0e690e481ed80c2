/**
 * Cohere (Command R): layer norms without bias, attention and MLP side by side on one norm's output, rotation of neighbouring
 * elements, norms with a gain for each head in Command R+, and a factor of the logits.
 */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf, withBlocks } from './decoder.ts'
import { type Harmless, only } from './known-keys.ts'
import { norm } from './names.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeadsOnly } from './rope.ts'

const Config = Decoder.omit({ rms_norm_eps: true }).extend({
  ...Rope,
  layer_norm_eps: z.number().default(1e-5),
  hidden_act: ActivationName.prefault('silu'),
  attention_bias: z.boolean().default(false),
  use_qk_norm: z.boolean().default(false),
  logit_scale: z.number().default(0.0625),
  tie_word_embeddings: z.boolean().default(true),
})

const own: Harmless = { partial_rotary_factor: only(1), mlp_bias: only(false), rope_interleaved: only(true) }

export function cohere(config: unknown): Outline {
  const c = readConfig(Config, config, 'cohere', own)
  const outline = decoder(c, {
    family: 'cohere',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c, 500_000)), headDimOf(c), 'neighbours')),
    bias: { qkv: c.attention_bias, output: c.attention_bias },
    norm: { kind: 'layer', epsilon: c.layer_norm_eps, bias: false },
  })
  const headNorm = (name: string) => (c.use_qk_norm ? ({ form: 'by head', names: norm(name, false) } as const) : null)
  const blocks = withBlocks(outline, (_, at) => ({
    ln2: norm(`${at}.input_layernorm`, false),
    qNorm: headNorm(`${at}.self_attn.q_norm`),
    kNorm: headNorm(`${at}.self_attn.k_norm`),
  }))
  return { ...blocks, parallel: true, logitScale: c.logit_scale }
}
