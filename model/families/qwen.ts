/**
 * Qwen 2, 2.5 and 3. Qwen 2 has biases on q, k and v only; Qwen 3 has none there and norms each head's queries and
 * keys. `sliding_window` counts only with `use_sliding_window`, and then from layer `max_window_layers` on.
 */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, type Differences, decoder, headDimOf, Layers } from './decoder.ts'
import { any, type Harmless, only } from './known-keys.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Config2 = Decoder.extend({
  ...Rope,
  ...Layers,
  // What transformers takes for keys that are not there.
  num_key_value_heads: z.int().min(1).nullable().default(32),
  sliding_window: z.int().min(1).nullable().default(4096),
  max_window_layers: z.int().min(0).default(28),
  hidden_act: ActivationName.prefault('silu'),
  use_sliding_window: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
})

const Config3 = Config2.extend({
  // Its head size does not follow from the width; 128 is what a config without it means.
  head_dim: z.int().min(1).default(128),
  attention_bias: z.boolean().default(false),
})

const own: Harmless = { ...wholeHeads, mlp_bias: only(false), use_mrope: only(false) }

function shared(c: z.output<typeof Config2>): Omit<Differences, 'family'> {
  return {
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c)), headDimOf(c))),
    window: c.use_sliding_window ? c.sliding_window : null,
    slides: layer => layer >= c.max_window_layers,
  }
}

export function qwen2(config: unknown): Outline {
  // Its biases are where they are, whatever a config says of them.
  const c = readConfig(Config2, config, 'qwen2', { ...own, attention_bias: any })
  return decoder(c, { ...shared(c), family: 'qwen2', bias: { qkv: true } })
}

export function qwen3(config: unknown): Outline {
  const c = readConfig(Config3, config, 'qwen3', own)
  const bias = { qkv: c.attention_bias, output: c.attention_bias }
  return decoder(c, { ...shared(c), family: 'qwen3', bias, headNorms: true })
}
