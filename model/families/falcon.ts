/**
 * Falcon 1 (7B, 40B, 180B, RW): one product for queries, keys and values, in three layouts; attention and MLP side by side on
 * one norm's output or on two, or one after the other; rotation or ALiBi.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { type Outline, plainBlock, plainModel } from '../architecture.ts'
import { alibiOf } from './alibi.ts'
import { ActivationName, Common, readConfig } from './config.ts'
import { headsOf } from './heads.ts'
import { any, type Harmless, only, sameAs } from './known-keys.ts'
import { head, linear, norm } from './names.ts'
import { once } from './once.ts'
import { contextOf, Rope, ropeOf, rotaryOf, wholeHeads, wholeHeadsOnly } from './rope.ts'

const Config = Common.extend({
  ...Rope,
  /** The older name of `hidden_size`, which wins. */
  n_embed: z.int().min(1).nullish(),
  hidden_size: z.int().min(1).nullish(),
  num_hidden_layers: z.int().min(1),
  num_attention_heads: z.int().min(1),
  num_kv_heads: z.int().min(1).nullish(),
  ffn_hidden_size: z.int().min(1).nullish(),
  num_ln_in_parallel_attn: z.int().min(1).max(2).nullish(),
  layer_norm_epsilon: z.number().default(1e-5),
  alibi: z.boolean().default(false),
  new_decoder_architecture: z.boolean().default(false),
  multi_query: z.boolean().default(true),
  parallel_attn: z.boolean().default(true),
  bias: z.boolean().default(false),
  activation: ActivationName.prefault('gelu'),
  max_position_embeddings: z.int().min(1).default(2048),
  tie_word_embeddings: z.boolean().default(true),
})

const own: Harmless = {
  ...wholeHeads,
  n_head: sameAs('num_attention_heads'),
  n_layer: sameAs('num_hidden_layers'),
  head_dim: (value, { hidden_size, num_attention_heads }) =>
    value === Number(hidden_size) / Number(num_attention_heads),
  rotary: only(true),
  apply_residual_connection_post_layernorm: any,
}

/** BF16, to which the reference rounds ALiBi's slopes and biases. */
function bf16(value: number): number {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer)
  const rounded = (bits! + 0x7fff + ((bits! >>> 16) & 1)) & 0xffff0000
  return new Float32Array(Uint32Array.of(rounded >>> 0).buffer)[0]!
}

export function falcon(config: unknown): Outline {
  const c = readConfig(Config, config, 'falcon', own)
  const width = c.n_embed ?? c.hidden_size
  if (!width) throw new UserError('config.json has neither n_embed nor hidden_size.')
  const grouped = c.new_decoder_architecture
  const kvHeads = grouped ? (c.num_kv_heads ?? c.num_attention_heads) : c.multi_query ? 1 : c.num_attention_heads
  const heads = headsOf(width, c.num_attention_heads, kvHeads)
  const parallel = c.parallel_attn || grouped
  const twoNorms = grouped && c.parallel_attn && (c.num_ln_in_parallel_attn ?? 2) === 2
  if (grouped && !c.parallel_attn)
    throw new UserError('config.json has new_decoder_architecture without parallel_attn, which no Falcon has.')
  if (c.num_ln_in_parallel_attn === 2 && !twoNorms)
    throw new UserError(
      'config.json has num_ln_in_parallel_attn 2 without new_decoder_architecture, which no Falcon has.',
    )
  const scale = heads.headDim ** -0.5
  const rotary = once(() => (c.alibi ? null : rotaryOf(wholeHeadsOnly(ropeOf(c)), heads.headDim)))
  const alibi = alibiOf(c.num_attention_heads, bf16)
  const embedding = 'transformer.word_embeddings.weight'
  return {
    ...plainModel,
    config: {
      family: 'falcon',
      layers: c.num_hidden_layers,
      width,
      ...heads,
      mlpWidth: c.ffn_hidden_size ?? 4 * width,
      vocabulary: c.vocab_size,
      context: contextOf(c),
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding,
    // Here ALiBi is scaled with the scores.
    alibi: c.alibi ? positions => alibi(positions).map(value => value * scale) : null,
    norm: { kind: 'layer', epsilon: c.layer_norm_epsilon, gainPlusOne: false },
    block: layer => {
      const at = `transformer.h.${layer}`
      const first = norm(twoNorms ? `${at}.ln_attn` : `${at}.input_layernorm`)
      const second = twoNorms ? norm(`${at}.ln_mlp`) : parallel ? first : norm(`${at}.post_attention_layernorm`)
      return {
        ...plainBlock,
        ln1: first,
        ln2: second,
        projection: {
          form: grouped || !c.multi_query ? 'by group' : 'together',
          qkv: linear(`${at}.self_attention.query_key_value`, c.bias),
        },
        output: linear(`${at}.self_attention.dense`, c.bias),
        mlp: {
          form: 'neurons',
          gate: null,
          in: linear(`${at}.mlp.dense_h_to_4h`, c.bias),
          out: linear(`${at}.mlp.dense_4h_to_h`, c.bias),
        },
        rotary: rotary(),
        scale,
      }
    },
    parallel,
    activation: c.activation,
    finalNorm: norm('transformer.ln_f'),
    ...head(embedding, c.tie_word_embeddings),
    renamings: [['transformer.', '']],
    ignored: /(^|\.)rotary_emb\.inv_freq$/,
  }
}
