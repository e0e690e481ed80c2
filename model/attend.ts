/** Attention of one block: queries, keys and values, who looks where, and what is written back. */
import { blockOf } from '../core/sites.ts'
import { attention as attentionOp } from '../engine/ops/attention.ts'
import { canCall } from '../engine/ops/native.ts'
import type { Tensor, Tensor3D } from '../engine/tf.ts'
import type { BlockArchitecture, LinearNames } from './architecture.ts'
import { outputByHead, type Projection, projectionByHead, splitProjection } from './heads.ts'
import {
  type AttentionOptions,
  attention,
  attentionBehind,
  attentionMix,
  attentionPattern,
  attentionScores,
} from './layers/attention.ts'
import { linear, linearByHead } from './layers/linear.ts'
import { rotate } from './layers/rotary.ts'
import { apply, headNormed, norm, type Pass, type Piece, type Stop, takenOn, weight } from './pass.ts'
import { splitSites } from './sites.ts'

/** What attention adds, before any post-norm; on top of `residual` where that is given. */
export function* attend(pass: Pass, at: string, parts: BlockArchitecture, input: Tensor, residual?: Tensor): Piece {
  if (!pass.prefix && packs(pass, at, parts)) return yield* attendPacked(pass, at, parts, input, residual)
  const projected = splitSites.some(site => pass.watched(at + site))
    ? yield* projectSplit(pass, at, parts, input)
    : yield* project(pass, at, parts, input)
  const { clip } = parts
  const clipped = (x: Tensor) => (clip === null ? x : x.clipByValue(-clip, clip))
  let q = yield { site: `${at}attn.hook_q`, value: clipped(projected.q) }
  let k = yield { site: `${at}attn.hook_k`, value: clipped(projected.k) }
  const v = yield { site: `${at}attn.hook_v`, value: clipped(projected.v) }
  if (parts.qNorm) q = headNormed(pass, q, parts.qNorm)
  if (parts.kNorm) k = headNormed(pass, k, parts.kNorm)
  if (parts.rotary) {
    const table = pass.rotary(parts)
    q = yield { site: `${at}attn.hook_rot_q`, value: rotate(q, parts.rotary, table) }
    k = yield { site: `${at}attn.hook_rot_k`, value: rotate(k, parts.rotary, table) }
  }
  const options: AttentionOptions = {
    scale: parts.scale,
    window: parts.window,
    cap: pass.architecture.scoreCap,
    alibi: pass.architecture.alibi?.((pass.prefix?.positions ?? 0) + q.shape[1]!) ?? null,
    sinks: parts.sinks ? weight(pass, parts.sinks) : null,
  }
  let mixed: Tensor
  if (pass.watched(`${at}attn.hook_attn_scores`) || pass.watched(`${at}attn.hook_pattern`)) {
    const scores = yield { site: `${at}attn.hook_attn_scores`, value: attentionScores(q, k, options) }
    const pattern = yield { site: `${at}attn.hook_pattern`, value: attentionPattern(scores, options.sinks) }
    mixed = attentionMix(pattern, v)
  } else mixed = pass.prefix ? attentionBehind(q, k, v, prefixOf(pass, at), options) : attention(q, k, v, options)
  const z = takenOn(pass, layerOf(at), yield { site: `${at}attn.hook_z`, value: mixed })
  const { output } = parts
  if (!pass.watched(`${at}attn.hook_result`)) {
    const [batch, positions, heads, headDim] = z.shape as [number, number, number, number]
    return apply(pass, output, z.reshape([batch, positions, heads * headDim]), { residual })
  }
  const heads = linearByHead(z, outputByHead(pass.weights, output, pass.architecture.config))
  const results = yield { site: `${at}attn.hook_result`, value: heads }
  const sum = results.sum(2)
  const biased = output.bias ? sum.add(weight(pass, output.bias)) : sum
  return residual ? residual.add(biased) : biased
}

/** Keys and values of the prefix in the block at `at`. */
function prefixOf(pass: Pass, at: string) {
  return pass.prefix!.blocks.get(layerOf(at))!
}

const layerOf = (at: string) => blockOf(`${at}attn`)!.layer

/** Whether attention can read q|k|v as one product makes them: nothing stands or looks between the product and z. */
function packs(pass: Pass, at: string, parts: BlockArchitecture): boolean {
  const between = ['hook_q', 'hook_k', 'hook_v', 'hook_attn_scores', 'hook_pattern', 'hook_z', 'hook_result']
  return (
    canCall('PipelineAttention') &&
    parts.projection.form === 'together' &&
    !(parts.rotary || parts.qNorm || parts.kNorm || parts.sinks || pass.architecture.alibi) &&
    parts.clip === null &&
    !between.some(site => pass.watched(`${at}attn.${site}`)) &&
    !splitSites.some(site => pass.watched(at + site))
  )
}

/** `attend` without a copy of queries, keys or values: their bias too is added where they are read. */
function* attendPacked(
  pass: Pass,
  at: string,
  parts: BlockArchitecture,
  input: Tensor,
  residual: Tensor | undefined,
): Piece {
  const { heads, kvHeads, headDim } = pass.architecture.config
  const { qkv } = parts.projection as Extract<BlockArchitecture['projection'], { form: 'together' | 'by group' }>
  const normed = yield* norm(pass, `${at}ln1`, parts.ln1, input)
  const rows = linear(normed, weight(pass, qkv.weight), null, qkv.layout) as Tensor3D
  const bias = qkv.bias ? weight(pass, qkv.bias) : null
  const [q, k, v] = [0, heads, heads + kvHeads].map(head => ({ rows, bias, offset: head * headDim }))
  const { scale, window } = parts
  const shape = { heads, kvHeads, headDim, scale, window, cap: pass.architecture.scoreCap }
  const z = takenOn(pass, layerOf(at), attentionOp(q!, k!, v!, shape))
  return apply(pass, parts.output, z, { residual })
}

/** Queries, keys and values from one normed input. */
function* project(
  pass: Pass,
  at: string,
  parts: BlockArchitecture,
  input: Tensor,
): Generator<Stop, Projection<Tensor>, Tensor> {
  const normed = yield* norm(pass, `${at}ln1`, parts.ln1, input)
  const { heads, kvHeads, headDim } = pass.architecture.config
  const [batch, positions] = normed.shape as [number, number]
  const { projection } = parts
  if (projection.form === 'separate') {
    const of = (names: LinearNames, count: number) =>
      apply(pass, names, normed).reshape([batch, positions, count, headDim])
    return { q: of(projection.q, heads), k: of(projection.k, kvHeads), v: of(projection.v, kvHeads) }
  }
  const all = apply(pass, projection.qkv, normed).reshape([batch * positions, heads + 2 * kvHeads, headDim])
  const { q, k, v } = splitProjection(all, projection.form, { heads, kvHeads })
  const shaped = (x: Tensor) => x.reshape([batch, positions, x.shape[1]!, headDim])
  return { q: shaped(q), k: shaped(k), v: shaped(v) }
}

/** The same with an input of its own for each head; ln1's sites are visited three times (q, k, v), with a head axis. */
function* projectSplit(
  pass: Pass,
  at: string,
  parts: BlockArchitecture,
  input: Tensor,
): Generator<Stop, Projection<Tensor>, Tensor> {
  const { config } = pass.architecture
  const byHead = (x: Tensor, heads: number) => x.expandDims(2).tile([1, 1, heads, 1])
  const inputs = { q: input, k: input, v: input }
  if (pass.watched(`${at}hook_attn_in`)) {
    const each = yield { site: `${at}hook_attn_in`, value: byHead(input, config.heads) }
    inputs.q = inputs.k = inputs.v = each
  }
  const { weights, biases } = projectionByHead(pass.weights, parts.projection, config)
  const result: Partial<Projection<Tensor>> = {}
  for (const part of ['q', 'k', 'v'] as const) {
    const heads = part === 'q' ? config.heads : config.kvHeads
    const own = inputs[part].rank === 4 ? inputs[part] : byHead(inputs[part], heads)
    inputs[part] = yield { site: `${at}hook_${part}_input`, value: own }
  }
  for (const part of ['q', 'k', 'v'] as const) {
    const normed = yield* norm(pass, `${at}ln1`, parts.ln1, inputs[part])
    const product = linearByHead(normed, weights[part])
    result[part] = biases ? product.add(biases[part]) : product
  }
  return result as Projection<Tensor>
}
