/** SmolLM 3: Llama of which every fourth layer does not rotate (NoPE). */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf, Layers } from './decoder.ts'
import { any, type Harmless } from './known-keys.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  ...Layers,
  num_key_value_heads: z.int().min(1).nullable().default(4),
  hidden_act: ActivationName.prefault('silu'),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.int().min(1).nullish(),
  /** 1 for each layer that rotates. */
  no_rope_layers: z.array(z.int().min(0).max(1)).nullish(),
  no_rope_layer_interval: z.int().min(1).default(4),
  tie_word_embeddings: z.boolean().default(true),
})

const own: Harmless = {
  ...wholeHeads,
  // Left in the published file from Qwen's, and read by nobody.
  max_window_layers: any,
}

export function smollm3(config: unknown): Outline {
  const c = readConfig(Config, config, 'smollm3', own)
  if (c.no_rope_layers && c.no_rope_layers.length !== c.num_hidden_layers)
    throw new UserError(`config.json has ${c.num_hidden_layers} layers but ${c.no_rope_layers.length} no_rope_layers.`)
  const rotates = (layer: number) =>
    c.no_rope_layers ? c.no_rope_layers[layer] === 1 : (layer + 1) % c.no_rope_layer_interval !== 0
  const rotary = once(() => rotaryOf(wholeHeadsOnly(ropeOf(c, 2_000_000)), headDimOf(c)))
  return decoder(c, {
    family: 'smollm3',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: layer => (rotates(layer) ? rotary() : null),
    bias: { qkv: c.attention_bias, output: c.attention_bias, mlp: c.mlp_bias },
    window: c.use_sliding_window ? (c.sliding_window ?? null) : null,
    slides: layer => !rotates(layer),
  })
}
