/** Granite 3 (dense): Llama with four factors, of embeddings, scores, residual additions, and (as a divisor) logits. */
import { z } from 'zod'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, decoder, headDimOf, withBlocks } from './decoder.ts'
import { once } from './once.ts'
import { Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Factor = z.number().positive().default(1)

const Config = Decoder.extend({
  ...Rope,
  hidden_act: ActivationName.prefault('silu'),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
  embedding_multiplier: Factor,
  attention_multiplier: Factor,
  residual_multiplier: Factor,
  logits_scaling: Factor,
})

export function granite(config: unknown): Outline {
  const c = readConfig(Config, config, 'granite', wholeHeads)
  const outline = decoder(c, {
    family: 'granite',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act,
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c)), headDimOf(c))),
    bias: { qkv: c.attention_bias, output: c.attention_bias, mlp: c.mlp_bias },
    embeddingScale: c.embedding_multiplier,
  })
  return {
    ...withBlocks(outline, () => ({ scale: c.attention_multiplier })),
    residualScale: c.residual_multiplier,
    logitScale: 1 / c.logits_scaling,
  }
}
