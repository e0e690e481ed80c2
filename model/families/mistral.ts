/** Mistral: Llama without biases, with a sliding window on every layer where the config does not turn it off (v0.1). */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf } from './decoder.ts'
import { type Harmless, only } from './known-keys.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  // What transformers takes for keys that are not there.
  num_key_value_heads: z.int().min(1).nullable().default(8),
  sliding_window: z.int().min(1).nullable().default(4096),
  hidden_act: ActivationName.prefault('silu'),
  tie_word_embeddings: z.boolean().default(false),
})

const own: Harmless = {
  ...wholeHeads,
  attention_bias: only(false),
  mlp_bias: only(false),
  // The layers are all of one kind, whatever is written here; other lists belong to other families.
  layer_types: (value, { sliding_window }) =>
    Array.isArray(value) &&
    value.every(type => type === (sliding_window === null ? 'full_attention' : 'sliding_attention')),
}

export function mistral(config: unknown): Outline {
  const c = readConfig(Config, config, 'mistral', own)
  return decoder(c, {
    family: 'mistral',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c)), headDimOf(c))),
    window: c.sliding_window,
    slides: () => true,
  })
}
