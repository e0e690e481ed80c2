/**
 * What the Llama-like families share: RMS norms, rotary positions, separate q, k, v stored [out, in], gated MLP, and
 * the tensor names `model.layers.N.self_attn.q_proj.weight` and so on. Each family file states its differences.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { Architecture, LinearNames, NormNames } from '../architecture.ts'
import type { Activation } from '../layers/activation.ts'
import type { RotaryFrequencies } from '../layers/rotary.ts'
import { Common } from './config.ts'

/** The sizes every Llama-like config has. */
export const Decoder = Common.extend({
  hidden_size: z.int().min(1),
  intermediate_size: z.int().min(1),
  num_hidden_layers: z.int().min(1),
  num_attention_heads: z.int().min(1),
  num_key_value_heads: z.int().min(1).nullish(),
  head_dim: z.int().min(2).nullish(),
  max_position_embeddings: z.int().min(1),
  rms_norm_eps: z.number().default(1e-6),
  layer_types: z.array(z.enum(['full_attention', 'sliding_attention'])).nullish(),
})
type Decoder = z.output<typeof Decoder>

/** Where a family departs from the rest. */
export interface Differences {
  family: string
  tied: boolean
  activation: Activation
  rotary: (layer: number) => RotaryFrequencies
  /** Whether these layers have biases. */
  bias?: { qkv?: boolean; output?: boolean; mlp?: boolean }
  /** Window of the sliding layers, and which those are. */
  window?: number | null
  slides?: (layer: number) => boolean
  /** Norms of each head's queries and keys. */
  headNorms?: boolean
  /** Norms after attention and MLP too (Gemma 2 and 3). */
  postNorms?: boolean
  gainPlusOne?: boolean
  embeddingScale?: number
  /** q·k is multiplied by this^−½; the head size when absent. */
  queryScale?: number
  scoreCap?: number | null
  logitCap?: number | null
  prefixes?: readonly string[]
}

/** Size of a head: explicit, or the residual's share. */
export function headDimOf(c: Pick<Decoder, 'head_dim' | 'hidden_size' | 'num_attention_heads'>): number {
  return c.head_dim ?? Math.floor(c.hidden_size / c.num_attention_heads)
}

/** The architecture of a Llama-like config. */
export function decoder(c: Decoder, d: Differences): Architecture {
  const headDim = headDimOf(c)
  const kvHeads = c.num_key_value_heads ?? c.num_attention_heads
  if (c.num_attention_heads % kvHeads !== 0)
    throw new UserError(
      `num_attention_heads must be a multiple of num_key_value_heads, but config.json has ${c.num_attention_heads} and ${kvHeads}.`,
    )
  if (c.layer_types && c.layer_types.length !== c.num_hidden_layers)
    throw new UserError(`config.json has ${c.num_hidden_layers} layers but ${c.layer_types.length} layer_types.`)
  const linear = (name: string, bias = false): LinearNames => ({
    weight: `${name}.weight`,
    bias: bias ? `${name}.bias` : null,
    layout: 'out-in',
  })
  const norm = (name: string): NormNames => ({ gain: `${name}.weight`, bias: null })
  const slides = (layer: number) =>
    c.layer_types ? c.layer_types[layer] === 'sliding_attention' : (d.slides?.(layer) ?? false)
  return {
    config: {
      family: d.family,
      layers: c.num_hidden_layers,
      width: c.hidden_size,
      heads: c.num_attention_heads,
      kvHeads,
      headDim,
      mlpWidth: c.intermediate_size,
      vocabulary: c.vocab_size,
      context: c.max_position_embeddings,
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding: 'model.embed_tokens.weight',
    embeddingScale: d.embeddingScale ?? 1,
    positions: null,
    norm: { kind: 'rms', epsilon: c.rms_norm_eps, gainPlusOne: d.gainPlusOne ?? false },
    blocks: Array.from({ length: c.num_hidden_layers }, (_, layer) => {
      const at = `model.layers.${layer}`
      return {
        ln1: norm(`${at}.input_layernorm`),
        ln1Post: d.postNorms ? norm(`${at}.post_attention_layernorm`) : null,
        ln2: norm(`${at}.${d.postNorms ? 'pre_feedforward_layernorm' : 'post_attention_layernorm'}`),
        ln2Post: d.postNorms ? norm(`${at}.post_feedforward_layernorm`) : null,
        projection: {
          form: 'separate' as const,
          q: linear(`${at}.self_attn.q_proj`, d.bias?.qkv),
          k: linear(`${at}.self_attn.k_proj`, d.bias?.qkv),
          v: linear(`${at}.self_attn.v_proj`, d.bias?.qkv),
        },
        qNorm: d.headNorms ? norm(`${at}.self_attn.q_norm`) : null,
        kNorm: d.headNorms ? norm(`${at}.self_attn.k_norm`) : null,
        output: linear(`${at}.self_attn.o_proj`, d.bias?.output),
        mlp: {
          gate: linear(`${at}.mlp.gate_proj`, d.bias?.mlp),
          in: linear(`${at}.mlp.up_proj`, d.bias?.mlp),
          out: linear(`${at}.mlp.down_proj`, d.bias?.mlp),
        },
        window: slides(layer) ? (d.window ?? null) : null,
        rotary: d.rotary(layer),
        scale: (d.queryScale ?? headDim) ** -0.5,
      }
    }),
    parallel: false,
    activation: d.activation,
    scoreCap: d.scoreCap ?? null,
    logitCap: d.logitCap ?? null,
    finalNorm: norm('model.norm'),
    unembedding: d.tied ? 'model.embed_tokens.weight' : 'lm_head.weight',
    prefixes: ['model.', ...(d.prefixes ?? [])],
    aliases: d.tied ? { 'model.embed_tokens.weight': ['lm_head.weight'] } : {},
    ignored: /\.rotary_emb\.inv_freq$/,
  }
}
