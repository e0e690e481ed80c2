/**
 * GPT-NeoX and Pythia: attention and MLP side by side on the block's input (`use_parallel_residual`), rotation of the
 * first quarter of each head, q, k and v in one product whose rows go head by head, head named `embed_out`.
 */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import type { Architecture, LinearNames, NormNames } from '../architecture.ts'
import { ActivationName, Common } from './config.ts'
import { frequenciesOf, Rope, ropeOf } from './rope.ts'

const Config = Common.extend({
  ...Rope,
  hidden_size: z.int().min(1),
  intermediate_size: z.int().min(1),
  num_hidden_layers: z.int().min(1),
  num_attention_heads: z.int().min(1),
  max_position_embeddings: z.int().min(1).default(2048),
  rotary_pct: z.number().gt(0).max(1).default(0.25),
  rotary_emb_base: z.number().positive().default(10000),
  use_parallel_residual: z.boolean().default(true),
  hidden_act: ActivationName.prefault('gelu'),
  layer_norm_eps: z.number().default(1e-5),
  attention_bias: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(false),
})

const linear = (name: string, bias = true): LinearNames => ({
  weight: `${name}.weight`,
  bias: bias ? `${name}.bias` : null,
  layout: 'out-in',
})
const norm = (name: string): NormNames => ({ gain: `${name}.weight`, bias: `${name}.bias` })

export function gptNeox(config: unknown): Architecture {
  const c = parseConfig(Config, config, 'config.json')
  const headDim = Math.floor(c.hidden_size / c.num_attention_heads)
  const rope = ropeOf({ rope_theta: c.rotary_emb_base, ...c })
  const rotated = Math.floor(headDim * (rope.partial_rotary_factor ?? c.rotary_pct))
  const rotary = frequenciesOf(rope, rotated)
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
      context: c.max_position_embeddings,
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding: 'gpt_neox.embed_in.weight',
    embeddingScale: 1,
    positions: null,
    norm: { kind: 'layer', epsilon: c.layer_norm_eps, gainPlusOne: false },
    blocks: Array.from({ length: c.num_hidden_layers }, (_, layer) => {
      const at = `gpt_neox.layers.${layer}`
      return {
        ln1: norm(`${at}.input_layernorm`),
        ln1Post: null,
        ln2: norm(`${at}.post_attention_layernorm`),
        ln2Post: null,
        projection: {
          form: 'by head' as const,
          qkv: linear(`${at}.attention.query_key_value`, c.attention_bias),
        },
        qNorm: null,
        kNorm: null,
        output: linear(`${at}.attention.dense`, c.attention_bias),
        mlp: { gate: null, in: linear(`${at}.mlp.dense_h_to_4h`), out: linear(`${at}.mlp.dense_4h_to_h`) },
        window: null,
        rotary,
        scale: headDim ** -0.5,
      }
    }),
    parallel: c.use_parallel_residual,
    activation: c.hidden_act,
    scoreCap: null,
    logitCap: null,
    finalNorm: norm('gpt_neox.final_layer_norm'),
    unembedding: c.tie_word_embeddings ? 'gpt_neox.embed_in.weight' : 'embed_out.weight',
    prefixes: ['gpt_neox.'],
    aliases: c.tie_word_embeddings
      ? { 'gpt_neox.embed_in.weight': ['embed_out.weight', 'lm_head.weight'] }
      : { 'embed_out.weight': ['lm_head.weight'] },
    ignored: /\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/,
  }
}
