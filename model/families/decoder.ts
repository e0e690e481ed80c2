/**
 * What the Llama-like families share: RMS norms, rotary positions, separate q, k, v stored [out, in], gated MLP, and
 * the tensor names `model.layers.N.self_attn.q_proj.weight` and so on. Each family file states its differences.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { type BlockArchitecture, type Outline, plainBlock, plainModel } from '../architecture.ts'
import type { Activation } from '../layers/activation.ts'
import type { Rotary } from '../layers/rotary.ts'
import { Common } from './config.ts'
import { head, linear, norm as normNames } from './names.ts'
import { contextOf } from './rope.ts'

/** The sizes every Llama-like config has. */
export const Decoder = Common.extend({
  hidden_size: z.int().min(1),
  intermediate_size: z.int().min(1),
  num_hidden_layers: z.int().min(1),
  num_attention_heads: z.int().min(1),
  num_key_value_heads: z.int().min(1).nullish(),
  head_dim: z.int().min(1).nullish(),
  max_position_embeddings: z.int().min(1),
  rms_norm_eps: z.number().default(1e-6),
})
type Decoder = Omit<z.output<typeof Decoder>, 'rms_norm_eps'> & { rms_norm_eps?: number }

/** Which layers slide, in families whose configs may say so layer by layer. */
export const Layers = { layer_types: z.array(z.enum(['full_attention', 'sliding_attention'])).nullish() }
type Layers = z.output<z.ZodObject<typeof Layers>>

/** Where a family departs from the rest. */
export interface Differences {
  family: string
  tied: boolean
  activation: Activation
  /** How a layer's heads rotate; layers that rotate alike give the same object. */
  rotary: (layer: number) => Rotary | null
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
  /** Layer norms instead of RMS norms, with or without a bias. */
  norm?: { kind: 'layer'; epsilon: number; bias: boolean }
  embeddingScale?: number
  /** q·k is multiplied by this^−½; the head size when absent. */
  queryScale?: number
  scoreCap?: number | null
  logitCap?: number | null
  /** More ways in which files begin names. */
  renamings?: Outline['renamings']
  ignored?: RegExp
}

/** Size of a head: explicit, or the residual's share. */
export function headDimOf(c: Pick<Decoder, 'head_dim' | 'hidden_size' | 'num_attention_heads'>): number {
  return c.head_dim ?? Math.floor(c.hidden_size / c.num_attention_heads)
}

/** The outline of a Llama-like config. */
export function decoder(c: Decoder & Layers, d: Differences): Outline {
  const headDim = headDimOf(c)
  const kvHeads = c.num_key_value_heads ?? c.num_attention_heads
  if (c.num_attention_heads % kvHeads !== 0)
    throw new UserError(
      `num_attention_heads must be a multiple of num_key_value_heads, but config.json has ${c.num_attention_heads} and ${kvHeads}.`,
    )
  if (headDim < 2 || headDim % 2 === 1)
    throw new UserError(
      `config.json makes heads of ${headDim} elements (head_dim, or hidden_size ${c.hidden_size} by num_attention_heads ${c.num_attention_heads}), but they are rotated in pairs.`,
    )
  if (c.layer_types && c.layer_types.length !== c.num_hidden_layers)
    throw new UserError(`config.json has ${c.num_hidden_layers} layers but ${c.layer_types.length} layer_types.`)
  if (c.layer_types?.includes('sliding_attention') && !d.window)
    throw new UserError('config.json has layer_types with sliding_attention but no sliding_window that is in use.')
  const kind = d.norm ?? { kind: 'rms' as const, epsilon: c.rms_norm_eps!, bias: false }
  const norm = (name: string) => normNames(name, kind.bias)
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
      context: contextOf(c),
      bosToken: c.bos_token_id,
      eosToken: c.eos_token_id,
    },
    embedding: 'model.embed_tokens.weight',
    ...plainModel,
    embeddingScale: d.embeddingScale ?? 1,
    norm: { kind: kind.kind, epsilon: kind.epsilon, gainPlusOne: d.gainPlusOne ?? false },
    block: layer => {
      const at = `model.layers.${layer}`
      return {
        ...plainBlock,
        ln1: norm(`${at}.input_layernorm`),
        ln1Post: d.postNorms ? norm(`${at}.post_attention_layernorm`) : null,
        ln2: norm(`${at}.${d.postNorms ? 'pre_feedforward_layernorm' : 'post_attention_layernorm'}`),
        ln2Post: d.postNorms ? norm(`${at}.post_feedforward_layernorm`) : null,
        projection: {
          form: 'separate' as const,
          q: linear(`${at}.self_attn.q_proj`, d.bias?.qkv ?? false),
          k: linear(`${at}.self_attn.k_proj`, d.bias?.qkv ?? false),
          v: linear(`${at}.self_attn.v_proj`, d.bias?.qkv ?? false),
        },
        qNorm: d.headNorms ? { form: 'shared' as const, names: norm(`${at}.self_attn.q_norm`) } : null,
        kNorm: d.headNorms ? { form: 'shared' as const, names: norm(`${at}.self_attn.k_norm`) } : null,
        output: linear(`${at}.self_attn.o_proj`, d.bias?.output ?? false),
        mlp: {
          form: 'neurons' as const,
          gate: linear(`${at}.mlp.gate_proj`, d.bias?.mlp ?? false),
          in: linear(`${at}.mlp.up_proj`, d.bias?.mlp ?? false),
          out: linear(`${at}.mlp.down_proj`, d.bias?.mlp ?? false),
        },
        window: slides(layer) ? (d.window ?? null) : null,
        rotary: d.rotary(layer),
        scale: (d.queryScale ?? headDim) ** -0.5,
      }
    },
    activation: d.activation,
    scoreCap: d.scoreCap ?? null,
    logitCap: d.logitCap ?? null,
    finalNorm: norm('model.norm'),
    ...head('model.embed_tokens.weight', d.tied),
    renamings: [['model.', ''], ...(d.renamings ?? [])],
    ignored: d.ignored ?? /(^|\.)rotary_emb\.inv_freq$/,
  }
}

/** An outline with something else in its blocks; `at` is what their weights' names begin with. */
export function withBlocks(
  outline: Outline,
  changes: (layer: number, at: string) => Partial<BlockArchitecture>,
): Outline {
  return {
    ...outline,
    block: layer => ({ ...outline.block(layer), ...changes(layer, `model.layers.${layer}`) }),
  }
}
