/** GPT-Neo: GPT-2 with separate queries, keys and values without bias, scores that are not scaled, and a window every other layer. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { type Outline, plainBlock, plainModel } from '../architecture.ts'
import { ActivationName, Common, readConfig } from './config.ts'
import { headsOf } from './heads.ts'
import { any, type Harmless, sameAs, summaryHead } from './known-keys.ts'
import { head, linear, norm } from './names.ts'

const Kind = z.enum(['global', 'local'])

const Config = Common.extend({
  hidden_size: z.int().min(1).default(2048),
  num_layers: z.int().min(1).default(24),
  num_heads: z.int().min(1).default(16),
  intermediate_size: z.int().min(1).nullish(),
  max_position_embeddings: z.int().min(1).default(2048),
  /** Kinds of layers with how often they come, one after the other. */
  attention_types: z
    .array(z.tuple([z.array(Kind).min(1), z.int().min(1)]))
    .nullable()
    .prefault([[['global', 'local'], 12]]),
  window_size: z.int().min(1).default(256),
  activation_function: ActivationName.prefault('gelu_new'),
  layer_norm_epsilon: z.number().default(1e-5),
  tie_word_embeddings: z.boolean().default(true),
})

const otherNames = { num_attention_heads: 'num_heads', num_hidden_layers: 'num_layers' }

const own: Harmless = {
  num_attention_heads: sameAs('num_heads', 16),
  num_hidden_layers: sameAs('num_layers', 24),
  // What attention_types says already, layer by layer.
  attention_layers: any,
  resid_dropout: any,
  embed_dropout: any,
  ...summaryHead,
}

export function gptNeo(config: unknown): Outline {
  const c = readConfig(Config, config, 'gpt_neo', own, { otherNames })
  const kinds = (c.attention_types ?? []).flatMap(([kinds, times]) =>
    times > c.num_layers ? [] : Array.from({ length: times }, () => kinds).flat(),
  )
  if (kinds.length !== c.num_layers)
    throw new UserError(
      `config.json has ${c.num_layers} num_layers, but its attention_types name another number of them.`,
    )
  const embedding = 'transformer.wte.weight'
  return {
    ...plainModel,
    config: {
      family: 'gpt_neo',
      layers: c.num_layers,
      width: c.hidden_size,
      ...headsOf(c.hidden_size, c.num_heads),
      mlpWidth: c.intermediate_size ?? 4 * c.hidden_size,
      vocabulary: c.vocab_size,
      context: c.max_position_embeddings,
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding,
    positions: 'transformer.wpe.weight',
    norm: { kind: 'layer', epsilon: c.layer_norm_epsilon, gainPlusOne: false },
    block: layer => {
      const at = `transformer.h.${layer}`
      const attention = `${at}.attn.attention`
      return {
        ...plainBlock,
        ln1: norm(`${at}.ln_1`),
        ln2: norm(`${at}.ln_2`),
        projection: {
          form: 'separate',
          q: linear(`${attention}.q_proj`, false),
          k: linear(`${attention}.k_proj`, false),
          v: linear(`${attention}.v_proj`, false),
        },
        output: linear(`${attention}.out_proj`),
        mlp: { form: 'neurons', gate: null, in: linear(`${at}.mlp.c_fc`), out: linear(`${at}.mlp.c_proj`) },
        window: kinds[layer] === 'local' ? c.window_size : null,
        scale: 1,
      }
    },
    activation: c.activation_function,
    finalNorm: norm('transformer.ln_f'),
    ...head(embedding, c.tie_word_embeddings),
    renamings: [['transformer.', '']],
    ignored: /\.attn\.attention\.(bias|masked_bias)$/,
  }
}
