/** Llama 1 to 3.2: the plain decoder; biases only where the config asks for them. */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf } from './decoder.ts'
import { type Harmless, only } from './known-keys.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  hidden_act: ActivationName.prefault('silu'),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
})

/** Every layer sees all before it. */
const own: Harmless = {
  ...wholeHeads,
  use_sliding_window: only(false),
  // Falcon 3's word for a gated MLP.
  activation: only('swiglu'),
  layer_types: value => Array.isArray(value) && value.every(type => type === 'full_attention'),
}

export function llama(config: unknown): Outline {
  const c = readConfig(Config, config, 'llama', own)
  return decoder(c, {
    family: 'llama',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c)), headDimOf(c))),
    bias: { qkv: c.attention_bias, output: c.attention_bias, mlp: c.mlp_bias },
  })
}
