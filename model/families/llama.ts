/** Llama 1 to 3.2: the plain decoder; biases only where the config asks for them. */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import type { Architecture } from '../architecture.ts'
import { ActivationName } from './config.ts'
import { Decoder, decoder, headDimOf } from './decoder.ts'
import { frequenciesOf, Rope, ropeOf } from './rope.ts'

const Config = Decoder.extend({
  ...Rope,
  hidden_act: ActivationName.prefault('silu'),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
})

export function llama(config: unknown): Architecture {
  const c = parseConfig(Config, config, 'config.json')
  const rotary = frequenciesOf(ropeOf(c), headDimOf(c))
  return decoder(c, {
    family: 'llama',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: () => rotary,
    bias: { qkv: c.attention_bias, output: c.attention_bias, mlp: c.mlp_bias },
  })
}
