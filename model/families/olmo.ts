/**
 * OLMo 1 and 2. OLMo 1 is Llama with layer norms that have no weights, and may clip queries, keys and values. OLMo 2 has no
 * norms before attention and MLP but after them, and norms all queries and all keys as one.
 */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf, withBlocks } from './decoder.ts'
import { type Harmless, only } from './known-keys.ts'
import { bareNorm, norm } from './names.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const shared = {
  ...Rope,
  hidden_act: ActivationName.prefault('silu'),
  attention_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
}

const Config1 = Decoder.omit({ rms_norm_eps: true }).extend({
  ...shared,
  clip_qkv: z.number().positive().nullish(),
})

const Config2 = Decoder.extend({ ...shared, rms_norm_eps: z.number().default(1e-5) })

const own: Harmless = { ...wholeHeads, mlp_bias: only(false) }

function basis(c: Omit<z.output<typeof Config1>, 'clip_qkv'>) {
  return {
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c)), headDimOf(c))),
    bias: { qkv: c.attention_bias, output: c.attention_bias },
  }
}

export function olmo(config: unknown): Outline {
  const c = readConfig(Config1, config, 'olmo', own)
  const norms = { kind: 'layer' as const, epsilon: 1e-5, bias: false }
  const outline = decoder(c, { family: 'olmo', ...basis(c), norm: norms })
  const bare = withBlocks(outline, () => ({ ln1: bareNorm, ln2: bareNorm, clip: c.clip_qkv ?? null }))
  return { ...bare, finalNorm: bareNorm }
}

export function olmo2(config: unknown): Outline {
  const c = readConfig(Config2, config, 'olmo2', own)
  return withBlocks(decoder(c, { family: 'olmo2', ...basis(c) }), (_, at) => ({
    ln1: null,
    ln1Post: norm(`${at}.post_attention_layernorm`, false),
    ln2: null,
    ln2Post: norm(`${at}.post_feedforward_layernorm`, false),
    qNorm: { form: 'together', names: norm(`${at}.self_attn.q_norm`, false) },
    kNorm: { form: 'together', names: norm(`${at}.self_attn.k_norm`, false) },
  }))
}
