/** BLOOM: ALiBi instead of positions, a norm of the embeddings, q, k and v in one product whose rows go head by head. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { type Outline, plainBlock, plainModel } from '../architecture.ts'
import { alibiOf } from './alibi.ts'
import { Common, readConfig } from './config.ts'
import { headsOf } from './heads.ts'
import { any, type Harmless, only, sameAs } from './known-keys.ts'
import { head, linear, norm } from './names.ts'

const Config = Common.extend({
  /** The older name of `hidden_size`, which wins. */
  n_embed: z.int().min(1).nullish(),
  hidden_size: z.int().min(1).nullish(),
  n_head: z.int().min(1),
  n_layer: z.int().min(1),
  layer_norm_epsilon: z.number().default(1e-5),
  apply_residual_connection_post_layernorm: z.boolean().default(false),
  slow_but_exact: z.boolean().default(false),
  pretraining_tp: z.number().default(1),
  seq_length: z.int().min(1).default(2048),
  tie_word_embeddings: z.boolean().default(true),
})

/** Those of the smaller published models. */
const otherNames = { num_attention_heads: 'n_head', num_hidden_layers: 'n_layer' }

const own: Harmless = {
  num_attention_heads: sameAs('n_head'),
  num_hidden_layers: sameAs('n_layer'),
  n_inner: only(null),
  hidden_act: only('gelu', 'gelu_new'),
  offset_alibi: any,
  attention_softmax_in_fp32: any,
  bias_dropout_fusion: any,
  masked_softmax_fusion: any,
  skip_bias_add: any,
  skip_bias_add_qkv: only(false),
  unk_token_id: any,
}

export function bloom(config: unknown): Outline {
  const c = readConfig(Config, config, 'bloom', own, { otherNames })
  if (c.apply_residual_connection_post_layernorm)
    throw new UserError(
      'config.json has apply_residual_connection_post_layernorm true: a residual stream that goes through the norms is not handled.',
    )
  if (c.slow_but_exact && c.pretraining_tp > 1)
    throw new UserError(
      `config.json has slow_but_exact true and pretraining_tp ${c.pretraining_tp}: outputs that are summed by slices, without their biases, are not handled.`,
      { fix: 'Set slow_but_exact to false, as it is wherever the model is not compared with its training.' },
    )
  const width = c.n_embed ?? c.hidden_size
  if (!width) throw new UserError('config.json has neither n_embed nor hidden_size.')
  const heads = headsOf(width, c.n_head)
  const embedding = 'transformer.word_embeddings.weight'
  return {
    ...plainModel,
    config: {
      family: 'bloom',
      layers: c.n_layer,
      width,
      ...heads,
      mlpWidth: 4 * width,
      vocabulary: c.vocab_size,
      context: c.seq_length,
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding,
    embeddingNorm: norm('transformer.word_embeddings_layernorm'),
    alibi: alibiOf(c.n_head),
    norm: { kind: 'layer', epsilon: c.layer_norm_epsilon, gainPlusOne: false },
    block: layer => {
      const at = `transformer.h.${layer}`
      return {
        ...plainBlock,
        ln1: norm(`${at}.input_layernorm`),
        ln2: norm(`${at}.post_attention_layernorm`),
        projection: { form: 'by group', qkv: linear(`${at}.self_attention.query_key_value`) },
        output: linear(`${at}.self_attention.dense`),
        mlp: {
          form: 'neurons',
          gate: null,
          in: linear(`${at}.mlp.dense_h_to_4h`),
          out: linear(`${at}.mlp.dense_4h_to_h`),
        },
        scale: heads.headDim ** -0.5,
      }
    },
    activation: 'gelu_new',
    finalNorm: norm('transformer.ln_f'),
    ...head(embedding, c.tie_word_embeddings),
    renamings: [['transformer.', '']],
    ignored: /^(?!)/,
  }
}
