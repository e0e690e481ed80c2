/**
 * Phi 1, 1.5 and 2: attention and MLP side by side on one layer norm's output, biases everywhere (the head's too), rotation of
 * the first part of each head.
 */
import { z } from 'zod'
import { type Outline, plainBlock, plainModel } from '../architecture.ts'
import { ActivationName, readConfig } from './config.ts'
import { Decoder, headDimOf } from './decoder.ts'
import { headsOf } from './heads.ts'
import { type Harmless, only } from './known-keys.ts'
import { head, linear, norm } from './names.ts'
import { once } from './once.ts'
import { contextOf, Rope, ropeOf, rotaryOf, rotatedOf } from './rope.ts'

const Config = Decoder.omit({ rms_norm_eps: true, head_dim: true }).extend({
  ...Rope,
  partial_rotary_factor: z.number().gt(0).max(1).default(0.5),
  layer_norm_eps: z.number().default(1e-5),
  hidden_act: ActivationName.prefault('gelu_new'),
  qk_layernorm: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
})

const own: Harmless = { rope_interleaved: only(false) }

export function phi(config: unknown): Outline {
  const c = readConfig(Config, config, 'phi', own)
  const headDim = headDimOf(c)
  const rotary = once(() => {
    const rope = ropeOf(c)
    return rotaryOf(rope, rotatedOf(headDim, rope.partial_rotary_factor ?? c.partial_rotary_factor))
  })
  const embedding = 'model.embed_tokens.weight'
  return {
    ...plainModel,
    config: {
      family: 'phi',
      layers: c.num_hidden_layers,
      width: c.hidden_size,
      ...headsOf(c.hidden_size, c.num_attention_heads, c.num_key_value_heads ?? undefined),
      mlpWidth: c.intermediate_size,
      vocabulary: c.vocab_size,
      context: contextOf(c),
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding,
    norm: { kind: 'layer', epsilon: c.layer_norm_eps, gainPlusOne: false },
    block: layer => {
      const at = `model.layers.${layer}`
      const headNorm = (name: string) => (c.qk_layernorm ? ({ form: 'shared', names: norm(name) } as const) : null)
      return {
        ...plainBlock,
        ln1: norm(`${at}.input_layernorm`),
        ln2: norm(`${at}.input_layernorm`),
        projection: {
          form: 'separate',
          q: linear(`${at}.self_attn.q_proj`),
          k: linear(`${at}.self_attn.k_proj`),
          v: linear(`${at}.self_attn.v_proj`),
        },
        qNorm: headNorm(`${at}.self_attn.q_layernorm`),
        kNorm: headNorm(`${at}.self_attn.k_layernorm`),
        output: linear(`${at}.self_attn.dense`),
        mlp: { form: 'neurons', gate: null, in: linear(`${at}.mlp.fc1`), out: linear(`${at}.mlp.fc2`) },
        rotary: rotary(),
        scale: headDim ** -0.5,
      }
    },
    parallel: true,
    activation: c.hidden_act,
    finalNorm: norm('model.final_layernorm'),
    ...head(embedding, c.tie_word_embeddings),
    unembeddingBias: 'lm_head.bias',
    renamings: [['model.', '']],
    ignored: /(^|\.)rotary_emb\.inv_freq$/,
  }
}
