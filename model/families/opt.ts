/**
 * OPT: learned positions that begin at the third row of their table, layer norms with bias, ReLU. The 350M model, which norms
 * after attention and MLP and has narrower embeddings, is refused.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { type Outline, plainBlock, plainModel } from '../architecture.ts'
import { ActivationName, Common, readConfig } from './config.ts'
import { headsOf } from './heads.ts'
import { any, type Harmless, only } from './known-keys.ts'
import { bareNorm, head, linear, norm as normNames } from './names.ts'

const Config = Common.extend({
  hidden_size: z.int().min(1),
  num_hidden_layers: z.int().min(1),
  num_attention_heads: z.int().min(1),
  ffn_dim: z.int().min(1),
  max_position_embeddings: z.int().min(1).default(2048),
  word_embed_proj_dim: z.int().min(1).nullish(),
  activation_function: ActivationName.prefault('relu'),
  enable_bias: z.boolean().default(true),
  layer_norm_elementwise_affine: z.boolean().default(true),
  do_layer_norm_before: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(true),
})

const own: Harmless = {
  _remove_final_layer_norm: only(false),
  dropout: any,
  layerdrop: any,
  activation_dropout: any,
  init_std: any,
}

export function opt(config: unknown): Outline {
  const c = readConfig(Config, config, 'opt', own)
  if (!c.do_layer_norm_before)
    throw new UserError('config.json has do_layer_norm_before false: an OPT that norms after attention and MLP.', {
      fix: 'Of the OPT models only the one of 350M is such; take another size.',
    })
  if (c.word_embed_proj_dim && c.word_embed_proj_dim !== c.hidden_size)
    throw new UserError(
      `config.json has a word_embed_proj_dim of ${c.word_embed_proj_dim} and a hidden_size of ${c.hidden_size}: embeddings that are projected are not handled.`,
    )
  const norm = (name: string) => (c.layer_norm_elementwise_affine ? normNames(name) : bareNorm)
  const heads = headsOf(c.hidden_size, c.num_attention_heads)
  const embedding = 'model.decoder.embed_tokens.weight'
  return {
    ...plainModel,
    config: {
      family: 'opt',
      layers: c.num_hidden_layers,
      width: c.hidden_size,
      ...heads,
      mlpWidth: c.ffn_dim,
      vocabulary: c.vocab_size,
      context: c.max_position_embeddings,
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding,
    positions: 'model.decoder.embed_positions.weight',
    positionOffset: 2,
    norm: { kind: 'layer', epsilon: 1e-5, gainPlusOne: false },
    block: layer => {
      const at = `model.decoder.layers.${layer}`
      const product = (name: string) => linear(`${at}.${name}`, c.enable_bias)
      return {
        ...plainBlock,
        ln1: norm(`${at}.self_attn_layer_norm`),
        ln2: norm(`${at}.final_layer_norm`),
        projection: {
          form: 'separate',
          q: product('self_attn.q_proj'),
          k: product('self_attn.k_proj'),
          v: product('self_attn.v_proj'),
        },
        output: product('self_attn.out_proj'),
        mlp: { form: 'neurons', gate: null, in: product('fc1'), out: product('fc2') },
        scale: heads.headDim ** -0.5,
      }
    },
    activation: c.activation_function,
    finalNorm: norm('model.decoder.final_layer_norm'),
    ...head(embedding, c.tie_word_embeddings),
    renamings: [
      ['model.', ''],
      ['model.decoder.', ''],
    ],
    ignored: /^(?!)/,
  }
}
