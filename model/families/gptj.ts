/**
 * GPT-J: attention and MLP side by side on one layer norm's output, rotation of neighbouring elements in the first part of each
 * head, a head with a bias.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { type Outline, plainBlock, plainModel } from '../architecture.ts'
import { ActivationName, Common, readConfig } from './config.ts'
import { otherNames } from './gpt2.ts'
import { headsOf } from './heads.ts'
import { any, type Harmless, only, sameAs, summaryHead } from './known-keys.ts'
import { head, linear, norm } from './names.ts'
import { once } from './once.ts'
import { rotaryOf } from './rope.ts'

const Config = Common.extend({
  n_embd: z.int().min(1),
  n_head: z.int().min(1),
  n_layer: z.int().min(1),
  n_positions: z.int().min(1).default(2048),
  n_inner: z.int().min(1).nullish(),
  rotary_dim: z.int().min(2).default(64),
  activation_function: ActivationName.prefault('gelu_new'),
  layer_norm_epsilon: z.number().default(1e-5),
  tie_word_embeddings: z.boolean().default(false),
})

const own: Harmless = {
  hidden_size: sameAs('n_embd'),
  num_attention_heads: sameAs('n_head'),
  num_hidden_layers: sameAs('n_layer'),
  max_position_embeddings: sameAs('n_positions', 2048),
  n_ctx: any,
  rotary: only(true),
  scale_attn_weights: only(true),
  ...summaryHead,
}

export function gptj(config: unknown): Outline {
  const c = readConfig(Config, config, 'gptj', own, { otherNames })
  const heads = headsOf(c.n_embd, c.n_head)
  if (c.rotary_dim % 2 === 1 || c.rotary_dim > heads.headDim)
    throw new UserError(
      `config.json rotates ${c.rotary_dim} elements of each head (rotary_dim), which must be even and at most the ${heads.headDim} that a head has.`,
    )
  const rotary = once(() => rotaryOf({}, c.rotary_dim, 'neighbours'))
  const embedding = 'transformer.wte.weight'
  return {
    ...plainModel,
    config: {
      family: 'gptj',
      layers: c.n_layer,
      width: c.n_embd,
      ...heads,
      mlpWidth: c.n_inner ?? 4 * c.n_embd,
      vocabulary: c.vocab_size,
      context: c.n_positions,
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding,
    norm: { kind: 'layer', epsilon: c.layer_norm_epsilon, gainPlusOne: false },
    block: layer => {
      const at = `transformer.h.${layer}`
      return {
        ...plainBlock,
        ln1: norm(`${at}.ln_1`),
        ln2: norm(`${at}.ln_1`),
        projection: {
          form: 'separate',
          q: linear(`${at}.attn.q_proj`, false),
          k: linear(`${at}.attn.k_proj`, false),
          v: linear(`${at}.attn.v_proj`, false),
        },
        output: linear(`${at}.attn.out_proj`, false),
        mlp: { form: 'neurons', gate: null, in: linear(`${at}.mlp.fc_in`), out: linear(`${at}.mlp.fc_out`) },
        rotary: rotary(),
        scale: heads.headDim ** -0.5,
      }
    },
    parallel: true,
    activation: c.activation_function,
    finalNorm: norm('transformer.ln_f'),
    ...head(embedding, c.tie_word_embeddings),
    unembeddingBias: 'lm_head.bias',
    renamings: [['transformer.', '']],
    ignored: /\.attn\.(bias|masked_bias|embed_positions)$/,
  }
}
