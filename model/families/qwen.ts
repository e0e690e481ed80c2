/**
 * Qwen 2, 2.5 and 3. Qwen 2 has biases on q, k and v only; Qwen 3 has none there and norms each head's queries and
 * keys. `sliding_window` counts only with `use_sliding_window`, and then from layer `max_window_layers` on.
 */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import type { Architecture } from '../architecture.ts'
import { ActivationName } from './config.ts'
import { Decoder, type Differences, decoder, headDimOf } from './decoder.ts'
import { frequenciesOf, Rope, ropeOf } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  hidden_act: ActivationName.prefault('silu'),
  attention_bias: z.boolean().default(false),
  use_sliding_window: z.boolean().default(false),
  sliding_window: z.int().min(1).nullish(),
  max_window_layers: z.int().min(0).default(28),
  tie_word_embeddings: z.boolean().default(false),
})

function shared(c: z.output<typeof Config>): Omit<Differences, 'family'> {
  const rotary = frequenciesOf(ropeOf(c), headDimOf(c))
  return {
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: () => rotary,
    window: c.use_sliding_window ? (c.sliding_window ?? null) : null,
    slides: layer => layer >= c.max_window_layers,
  }
}

export function qwen2(config: unknown): Architecture {
  const c = parseConfig(Config, config, 'config.json')
  return decoder(c, { ...shared(c), family: 'qwen2', bias: { qkv: true } })
}

export function qwen3(config: unknown): Architecture {
  // Its head size does not follow from the width; 128 is what a config without it means.
  const c = parseConfig(Config.extend({ head_dim: z.int().min(2).default(128) }), config, 'config.json')
  const bias = { qkv: c.attention_bias, output: c.attention_bias }
  return decoder(c, { ...shared(c), family: 'qwen3', bias, headNorms: true })
}
