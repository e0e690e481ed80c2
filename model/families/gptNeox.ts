/**
 * GPT-NeoX and Pythia: attention and MLP side by side on the block's input (`use_parallel_residual`), rotation of the
 * first quarter of each head, q, k and v in one product whose rows go head by head, head named `embed_out`.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { type Outline, plainBlock, plainModel } from '../architecture.ts'
import { ActivationName, Common, readConfig } from './config.ts'
import { type Harmless, sameAs } from './known-keys.ts'
import { linear, norm } from './names.ts'
import { once } from './once.ts'
import { contextOf, Rope, ropeOf, rotaryOf } from './rope.ts'
import type { RopeScaling } from './rope-scalings.ts'

const Share = z.number().gt(0).max(1)

const Config = Common.extend({
  ...Rope,
  hidden_size: z.int().min(1),
  intermediate_size: z.int().min(1),
  num_hidden_layers: z.int().min(1),
  num_attention_heads: z.int().min(1),
  max_position_embeddings: z.int().min(1).default(2048),
  rotary_pct: Share.default(0.25),
  partial_rotary_factor: Share.nullish(),
  rotary_emb_base: z.number().positive().default(10000),
  use_parallel_residual: z.boolean().default(true),
  hidden_act: ActivationName.prefault('gelu'),
  layer_norm_eps: z.number().default(1e-5),
  attention_bias: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(false),
}).refine(config => config.hidden_size % config.num_attention_heads === 0, {
  error: 'hidden_size must be a multiple of num_attention_heads',
})

const own: Harmless = {
  num_key_value_heads: sameAs('num_attention_heads'),
  head_dim: (value, { hidden_size, num_attention_heads }) =>
    value === Number(hidden_size) / Number(num_attention_heads),
}

/** Base, scaling and rotated share; the names that other families have for them at the top count nothing here. */
function rotation(c: z.output<typeof Config>): RopeScaling {
  const rope = ropeOf({ ...c, rope_theta: c.rotary_emb_base })
  const partial_rotary_factor = rope.partial_rotary_factor ?? c.rotary_pct
  for (const [key, used] of [
    ['rope_theta', rope.rope_theta],
    ['partial_rotary_factor', partial_rotary_factor],
  ] as const)
    if ((c[key] ?? used) !== used)
      throw new UserError(
        `config.json has a ${key} of ${c[key]}, which gpt_neox does not read there: what it reads is ${used}.`,
        { fix: 'Say it as rotary_emb_base or rotary_pct, or within rope_parameters.' },
      )
  return { ...rope, partial_rotary_factor }
}

export function gptNeox(config: unknown): Outline {
  const c = readConfig(Config, config, 'gpt_neox', own)
  const headDim = c.hidden_size / c.num_attention_heads
  const rope = rotation(c)
  const rotated = Math.floor(headDim * rope.partial_rotary_factor!)
  if (2 * Math.ceil(rotated / 2) > headDim)
    throw new UserError(
      `config.json rotates ${rotated} elements in pairs, but a head has ${headDim} (hidden_size by num_attention_heads).`,
    )
  const rotary = once(() => (rotated === 0 ? null : rotaryOf(rope, rotated)))
  return {
    config: {
      family: 'gpt_neox',
      layers: c.num_hidden_layers,
      width: c.hidden_size,
      heads: c.num_attention_heads,
      kvHeads: c.num_attention_heads,
      headDim,
      mlpWidth: c.intermediate_size,
      vocabulary: c.vocab_size,
      context: contextOf(c),
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding: 'gpt_neox.embed_in.weight',
    ...plainModel,
    norm: { kind: 'layer', epsilon: c.layer_norm_eps, gainPlusOne: false },
    block: layer => {
      const at = `gpt_neox.layers.${layer}`
      return {
        ...plainBlock,
        ln1: norm(`${at}.input_layernorm`),
        ln2: norm(`${at}.post_attention_layernorm`),
        projection: {
          form: 'by group' as const,
          qkv: linear(`${at}.attention.query_key_value`, c.attention_bias),
        },
        output: linear(`${at}.attention.dense`, c.attention_bias),
        mlp: {
          form: 'neurons' as const,
          gate: null,
          in: linear(`${at}.mlp.dense_h_to_4h`),
          out: linear(`${at}.mlp.dense_4h_to_h`),
        },
        rotary: rotary(),
        scale: headDim ** -0.5,
      }
    },
    parallel: c.use_parallel_residual,
    activation: c.hidden_act,
    finalNorm: norm('gpt_neox.final_layer_norm'),
    unembedding: c.tie_word_embeddings ? 'gpt_neox.embed_in.weight' : 'embed_out.weight',
    tiedHead: c.tie_word_embeddings ? 'embed_out.weight' : null,
    renamings: [['gpt_neox.', '']],
    aliases: {
      'embed_out.weight': ['lm_head.weight'],
      ...(c.tie_word_embeddings ? { 'gpt_neox.embed_in.weight': ['embed_out.weight', 'lm_head.weight'] } : {}),
    },
    ignored: /\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/,
  }
}
