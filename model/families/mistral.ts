/** Mistral: Llama without biases, with a sliding window on every layer where the config has one (v0.1). */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import type { Architecture } from '../architecture.ts'
import { ActivationName } from './config.ts'
import { Decoder, decoder, headDimOf } from './decoder.ts'
import { frequenciesOf, Rope, ropeOf } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  hidden_act: ActivationName.prefault('silu'),
  sliding_window: z.int().min(1).nullish(),
  tie_word_embeddings: z.boolean().default(false),
})

export function mistral(config: unknown): Architecture {
  const c = parseConfig(Config, config, 'config.json')
  const rotary = frequenciesOf(ropeOf(c), headDimOf(c))
  return decoder(c, {
    family: 'mistral',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: () => rotary,
    window: c.sliding_window ?? null,
    slides: () => true,
  })
}
