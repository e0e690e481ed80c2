/**
 * Gemma 1, 2 and 3 (text): gains of 1 + weight, embeddings times √width, tanh-gelu gate. From Gemma 2 on norms before and after attention and MLP, and a scale of
 * scores of its own. Gemma 2 soft-caps scores and logits and slides on even layers; Gemma 3
 * norms each head's queries and keys, slides on all but every sixth layer, and rotates those by other frequencies.
 * Gemma 3 with vision (`gemma3`) is its text model, in whose config what is left out has the family's defaults.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { Outline } from '../architecture.ts'
import { ActivationName, readConfig, Token } from './config.ts'
import { Decoder, type Differences, decoder, Layers } from './decoder.ts'
import { any, type Harmless, only, sameAs } from './known-keys.ts'
import { once } from './once.ts'
import { Rope, RopeByLayer, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Cap = z.number().positive().nullish()

const Gemma = Decoder.extend({
  ...Layers,
  num_key_value_heads: z.int().min(1).default(4),
  head_dim: z.int().min(1).default(256),
  query_pre_attn_scalar: z.number().positive().default(256),
  hidden_activation: ActivationName.prefault('gelu_pytorch_tanh'),
  attention_bias: z.boolean().default(false),
  final_logit_softcapping: Cap,
  sliding_window: z.int().min(1).nullable().default(4096),
  tie_word_embeddings: z.boolean().default(true),
})

const own: Harmless = {
  ...wholeHeads,
  // Old files have it beside `hidden_activation`, and only that is read.
  hidden_act: any,
  use_bidirectional_attention: only(false),
  sliding_window_size: sameAs('sliding_window'),
}

function shared(c: z.output<typeof Gemma>): Omit<Differences, 'family' | 'rotary'> {
  return {
    tied: c.tie_word_embeddings,
    activation: c.hidden_activation,
    bias: { qkv: c.attention_bias, output: c.attention_bias },
    window: c.sliding_window,
    postNorms: true,
    gainPlusOne: true,
    embeddingScale: Math.fround(Math.sqrt(c.hidden_size)),
    queryScale: c.query_pre_attn_scalar,
    logitCap: c.final_logit_softcapping ?? null,
  }
}

const Config1 = Decoder.extend({
  ...Rope,
  num_key_value_heads: z.int().min(1).default(16),
  head_dim: z.int().min(1).default(256),
  /** "gelu" of the official files means its tanh form. */
  hidden_act: ActivationName.prefault('gelu_pytorch_tanh'),
  attention_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
})

const own1: Harmless = {
  ...wholeHeads,
  mlp_bias: only(false),
  use_bidirectional_attention: only(false),
  // Newer files have it beside `hidden_act`, and only that is read.
  hidden_activation: any,
}

export function gemma(config: unknown): Outline {
  const c = readConfig(Config1, config, 'gemma', own1)
  return decoder(c, {
    family: 'gemma',
    tied: c.tie_word_embeddings,
    activation: c.hidden_act === 'gelu' ? 'gelu_new' : c.hidden_act,
    bias: { qkv: c.attention_bias, output: c.attention_bias },
    gainPlusOne: true,
    embeddingScale: Math.fround(Math.sqrt(c.hidden_size)),
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c)), c.head_dim)),
  })
}

const Config2 = Gemma.extend({
  ...Rope,
  attn_logit_softcapping: Cap.default(50),
  final_logit_softcapping: Cap.default(30),
})

export function gemma2(config: unknown): Outline {
  const c = readConfig(Config2, config, 'gemma2', own)
  return decoder(c, {
    ...shared(c),
    family: 'gemma2',
    scoreCap: c.attn_logit_softcapping ?? null,
    rotary: once(() => rotaryOf(wholeHeadsOnly(ropeOf(c)), c.head_dim)),
    slides: layer => layer % 2 === 0,
  })
}

const Config3 = Gemma.extend({
  ...RopeByLayer,
  vocab_size: z.int().min(1).default(262208),
  hidden_size: z.int().min(1).default(2304),
  intermediate_size: z.int().min(1).default(9216),
  num_hidden_layers: z.int().min(1).default(26),
  num_attention_heads: z.int().min(1).default(8),
  max_position_embeddings: z.int().min(1).default(131072),
  bos_token_id: Token.prefault(2),
  eos_token_id: Token.prefault(1),
  /** Every so many layers one sees all. */
  sliding_window_pattern: z.int().min(1).default(6),
})

const own3: Harmless = {
  ...own,
  // Kept for older code: scores are not capped.
  attn_logit_softcapping: any,
  // Written beside `layer_types` or the key without underscore, and read by nobody.
  _sliding_window_pattern: (value, { layer_types, sliding_window_pattern }) =>
    (layer_types ?? sliding_window_pattern ?? null) !== null || value === 6,
}

export function gemma3Text(config: unknown, where?: string): Outline {
  const c = readConfig(Config3, config, 'gemma3_text', own3, { where })
  const slides = (layer: number) =>
    c.layer_types ? c.layer_types[layer] === 'sliding_attention' : (layer + 1) % c.sliding_window_pattern !== 0
  const { full_attention: full, sliding_attention: local } = c.rope_parameters ?? {}
  const frequencies = (rope: Parameters<typeof wholeHeadsOnly>[0], theta: number) =>
    once(() => {
      const settings = ropeOf({
        rope_parameters: rope,
        rope_theta: theta,
        max_position_embeddings: c.max_position_embeddings,
      })
      return rotaryOf(wholeHeadsOnly(settings), c.head_dim)
    })
  const fullFrequencies = frequencies({ ...full, ...c.rope_scaling }, c.rope_theta ?? 1e6)
  const localFrequencies = frequencies({ ...local }, c.rope_local_base_freq ?? 1e4)
  return decoder(c, {
    ...shared(c),
    family: 'gemma3_text',
    rotary: layer => (slides(layer) ? localFrequencies() : fullFrequencies()),
    slides,
    headNorms: true,
    renamings: [
      ['', 'language_model.'],
      ['model.', 'model.language_model.'],
    ],
    // The part that sees images.
    ignored: /^(model\.)?(vision_tower|multi_modal_projector)\.|(^|\.)rotary_emb\.inv_freq$/,
  })
}

const WithVision = z.object({
  text_config: z.record(z.string(), z.unknown()),
  tie_word_embeddings: z.boolean().nullish(),
  bos_token_id: Token,
  eos_token_id: Token,
})

/** What is about images: a text has none. */
const images: Harmless = Object.fromEntries(
  [
    ...['vision_config', 'mm_tokens_per_image', 'boi_token_index', 'eoi_token_index', 'image_token_index'],
    ...['boi_token_id', 'eoi_token_id', 'image_token_id'],
  ].map(key => [key, any]),
)

export function gemma3(config: unknown): Outline {
  const c = readConfig(WithVision, config, 'gemma3', images)
  if ((c.text_config.model_type ?? 'gemma3_text') !== 'gemma3_text')
    throw new UserError(
      `config.json has a text_config with model_type ${JSON.stringify(c.text_config.model_type)}; of gemma3 it must be gemma3_text.`,
    )
  if ((c.text_config.final_logit_softcapping ?? null) !== null)
    throw new UserError(
      `config.json has a text_config with final_logit_softcapping ${c.text_config.final_logit_softcapping}, which gemma3 does not apply.`,
    )
  const text = { ...c.text_config, tie_word_embeddings: c.tie_word_embeddings ?? true }
  return gemma3Text(text, 'text_config of config.json')
}
