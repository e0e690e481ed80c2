/** GPT-2: learned positions, layer norms with bias, one q|k|v product stored [in, out], ungated MLP, usually tied head. */
import { z } from 'zod'
import { type Outline, plainBlock, plainModel } from '../architecture.ts'
import { ActivationName, Common, readConfig } from './config.ts'
import { any, type Harmless, sameAs, summaryHead } from './known-keys.ts'
import { head, linear, norm } from './names.ts'

const Config = Common.extend({
  n_embd: z.int().min(1),
  n_head: z.int().min(1),
  n_layer: z.int().min(1),
  n_positions: z.int().min(1).default(1024),
  n_inner: z.int().min(1).nullish(),
  activation_function: ActivationName.prefault('gelu_new'),
  layer_norm_epsilon: z.number().default(1e-5),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
}).refine(config => config.n_embd % config.n_head === 0, { error: 'n_embd must be a multiple of n_head' })

/** Other names of sizes. */
export const otherNames = {
  hidden_size: 'n_embd',
  num_attention_heads: 'n_head',
  num_hidden_layers: 'n_layer',
  max_position_embeddings: 'n_positions',
}

const own: Harmless = {
  hidden_size: sameAs('n_embd'),
  num_attention_heads: sameAs('n_head'),
  num_hidden_layers: sameAs('n_layer'),
  max_position_embeddings: sameAs('n_positions', 1024),
  n_ctx: any,
  // A head for other tasks.
  ...summaryHead,
  // Float32 is what it is, in whichever order it is computed.
  reorder_and_upcast_attn: any,
}

const product = (name: string) => linear(name, true, 'in-out')

export function gpt2(config: unknown): Outline {
  const c = readConfig(Config, config, 'gpt2', own, { otherNames })
  const headDim = c.n_embd / c.n_head
  return {
    config: {
      family: 'gpt2',
      layers: c.n_layer,
      width: c.n_embd,
      heads: c.n_head,
      kvHeads: c.n_head,
      headDim,
      mlpWidth: c.n_inner ?? 4 * c.n_embd,
      vocabulary: c.vocab_size,
      context: c.n_positions,
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding: 'transformer.wte.weight',
    ...plainModel,
    positions: 'transformer.wpe.weight',
    norm: { kind: 'layer', epsilon: c.layer_norm_epsilon, gainPlusOne: false },
    block: layer => {
      const at = `transformer.h.${layer}`
      return {
        ...plainBlock,
        ln1: norm(`${at}.ln_1`),
        ln2: norm(`${at}.ln_2`),
        projection: { form: 'together' as const, qkv: product(`${at}.attn.c_attn`) },
        output: product(`${at}.attn.c_proj`),
        mlp: { form: 'neurons' as const, gate: null, in: product(`${at}.mlp.c_fc`), out: product(`${at}.mlp.c_proj`) },
        scale: (c.scale_attn_weights ? headDim ** -0.5 : 1) / (c.scale_attn_by_inverse_layer_idx ? layer + 1 : 1),
      }
    },
    activation: c.activation_function,
    finalNorm: norm('transformer.ln_f'),
    ...head('transformer.wte.weight', c.tie_word_embeddings),
    renamings: [['transformer.', '']],
    ignored: /\.attn\.(bias|masked_bias)$/,
  }
}
