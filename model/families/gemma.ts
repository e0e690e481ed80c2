/**
 * Gemma 2 and Gemma 3 (text): norms before and after attention and MLP with gain 1 + weight, embeddings times √width,
 * tanh-gelu gate, a scale of scores of its own. Gemma 2 soft-caps scores and logits and slides on even layers; Gemma 3
 * norms each head's queries and keys, slides on all but every sixth layer, and rotates those by other frequencies.
 */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import type { Architecture } from '../architecture.ts'
import { ActivationName } from './config.ts'
import { Decoder, type Differences, decoder } from './decoder.ts'
import { frequenciesOf, Rope, RopeByLayer, ropeOf } from './rope.ts'

const Gemma = Decoder.extend({
  head_dim: z.int().min(2).default(256),
  query_pre_attn_scalar: z.number().positive().default(256),
  // Old files also have `hidden_act: gelu`, which the reference does not read.
  hidden_activation: ActivationName.prefault('gelu_pytorch_tanh'),
  attention_bias: z.boolean().default(false),
  attn_logit_softcapping: z.number().positive().nullish(),
  final_logit_softcapping: z.number().positive().nullish(),
  sliding_window: z.int().min(1).nullish().default(4096),
  tie_word_embeddings: z.boolean().default(true),
})

function shared(c: z.output<typeof Gemma>): Omit<Differences, 'family' | 'rotary'> {
  return {
    tied: c.tie_word_embeddings,
    activation: c.hidden_activation,
    bias: { qkv: c.attention_bias, output: c.attention_bias },
    window: c.sliding_window ?? null,
    postNorms: true,
    gainPlusOne: true,
    embeddingScale: Math.fround(Math.sqrt(c.hidden_size)),
    queryScale: c.query_pre_attn_scalar,
    scoreCap: c.attn_logit_softcapping ?? null,
    logitCap: c.final_logit_softcapping ?? null,
  }
}

const Config2 = Gemma.extend({
  ...Rope,
  attn_logit_softcapping: z.number().positive().nullish().default(50),
  final_logit_softcapping: z.number().positive().nullish().default(30),
})

export function gemma2(config: unknown): Architecture {
  const c = parseConfig(Config2, config, 'config.json')
  const rotary = frequenciesOf(ropeOf(c), c.head_dim)
  return decoder(c, { ...shared(c), family: 'gemma2', rotary: () => rotary, slides: layer => layer % 2 === 0 })
}

const Config3 = Gemma.extend({
  ...RopeByLayer,
  /** Every so many layers one sees all; in newer files with an underscore in front, beside `layer_types`. */
  sliding_window_pattern: z.int().min(1).optional(),
  _sliding_window_pattern: z.int().min(1).optional(),
})

export function gemma3(config: unknown): Architecture {
  const c = parseConfig(Config3, config, 'config.json')
  const every = c.sliding_window_pattern ?? c._sliding_window_pattern ?? 6
  const slides = (layer: number) =>
    c.layer_types ? c.layer_types[layer] === 'sliding_attention' : (layer + 1) % every !== 0
  const full = c.rope_parameters?.full_attention ?? ropeOf({ rope_theta: 1e6, ...c, rope_parameters: null })
  const local = c.rope_parameters?.sliding_attention ?? { rope_theta: c.rope_local_base_freq ?? 10000 }
  const fullFrequencies = frequenciesOf(full, c.head_dim)
  const localFrequencies = frequenciesOf(local, c.head_dim)
  return decoder(c, {
    ...shared(c),
    family: 'gemma3_text',
    rotary: layer => (slides(layer) ? localFrequencies : fullFrequencies),
    slides,
    headNorms: true,
    prefixes: ['language_model.'],
  })
}
