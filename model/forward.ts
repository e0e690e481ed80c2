/**
 * The forward pass, once for every family, as generators: each `yield` is a site. Whoever drives them may read the
 * value, send back another, or stop there; what comes back is what the pass goes on with.
 *
 *   x ← embed(tokens);  for each block  x ← x + attn(ln1 x),  x ← x + mlp(ln2 x);  logits = unembed(ln_final x)
 *
 * Values that only a site needs (a norm's scale, scores, results by head) are computed when that site is watched.
 */
import { blockOf, inBlock } from '../core/sites.ts'
import { attention as attentionOp } from '../engine/ops/attention.ts'
import { canCall } from '../engine/ops/native.ts'
import { norm as normOp } from '../engine/ops/norm.ts'
import { siluMul } from '../engine/ops/silu.ts'
import { type Tensor, type Tensor3D, tf } from '../engine/tf.ts'
import type { Architecture, BlockArchitecture, LinearNames, NormNames } from './architecture.ts'
import { outputByHead, type Projection, projectionByHead } from './heads.ts'
import { activation, geluForm } from './layers/activation.ts'
import { type AttentionOptions, attention, attentionBehind, attentionMix, attentionScores } from './layers/attention.ts'
import { linear, linearByHead } from './layers/linear.ts'
import { layerNorm, normParts, rmsNorm } from './layers/norm.ts'
import { type RotaryTable, rotate } from './layers/rotary.ts'
import type { Prefix } from './model.ts'
import { splitSites } from './sites.ts'

/** What a pass stops at: a site and the value there. */
export interface Stop {
  readonly site: string
  readonly value: Tensor
}

/** A piece of the pass: yields sites, takes the values to go on with, returns its result. */
export type Piece = Generator<Stop, Tensor, Tensor>

/** What the pieces of one run share. */
export interface Pass {
  readonly architecture: Architecture
  readonly weights: Readonly<Record<string, Tensor>>
  /** Whether a hook or `until` is at this site. */
  watched(site: string): boolean
  /** What attention reads of the positions before the first one of this pass. */
  readonly prefix: Prefix | undefined
  rotary(block: BlockArchitecture): RotaryTable
}

/** Residual stream before the first block, [batch, position, width]. */
export function* embed(pass: Pass, tokens: Tensor): Piece {
  const { architecture } = pass
  const positions = tokens.shape[1]!
  let embedding = weight(pass, architecture.embedding).gather(tokens)
  if (architecture.embeddingScale !== 1) embedding = embedding.mul(architecture.embeddingScale)
  const tokenPart = yield { site: 'hook_embed', value: embedding }
  if (!architecture.positions) return tokenPart
  const table = weight(pass, architecture.positions).slice([0, 0], [positions, architecture.config.width])
  if (!pass.watched('hook_pos_embed')) return tokenPart.add(table)
  // A copy for each row of the batch, so that every row can carry another edit.
  const copies = table.expandDims(0).tile([tokens.shape[0]!, 1, 1])
  return tokenPart.add(yield { site: 'hook_pos_embed', value: copies })
}

/** One block: from the residual before it to the residual after it. */
export function* block(pass: Pass, layer: number, input: Tensor): Piece {
  const at = inBlock(layer)
  const parts = pass.architecture.blocks[layer]!
  const before = yield { site: `${at}hook_resid_pre`, value: input }
  const sum = yield* join(pass, before, `${at}hook_attn_out`, parts.ln1Post, `${at}ln1_post`, stream =>
    attend(pass, at, parts, before, stream),
  )
  const middle = pass.architecture.parallel ? sum : yield { site: `${at}hook_resid_mid`, value: sum }
  const mlpInput = yield { site: `${at}hook_mlp_in`, value: pass.architecture.parallel ? before : middle }
  const after = yield* join(pass, middle, `${at}hook_mlp_out`, parts.ln2Post, `${at}ln2_post`, stream =>
    mlp(pass, at, parts, mlpInput, stream),
  )
  return yield { site: `${at}hook_resid_post`, value: after }
}

/**
 * The residual stream and what a piece adds to it, after a norm of its own where the family has one. A piece whose output
 * nobody looks at is given the stream, and its last product adds it.
 */
function* join(
  pass: Pass,
  stream: Tensor,
  site: string,
  post: NormNames | null,
  postAt: string,
  piece: (stream?: Tensor) => Piece,
): Piece {
  if (!post && !pass.watched(site)) return yield* piece(stream)
  let added: Tensor = yield* piece()
  if (post) added = yield* norm(pass, postAt, post, added)
  return stream.add(yield { site, value: added })
}

/** Logits [batch, position, vocabulary] from the last residual. */
export function* unembed(pass: Pass, input: Tensor): Piece {
  const { architecture } = pass
  const normed = yield* norm(pass, 'ln_final', architecture.finalNorm, input)
  const last = yield { site: 'unembed.hook_in', value: normed }
  const logits = linear(last, weight(pass, architecture.unembedding), null, 'out-in')
  return yield { site: 'unembed.hook_out', value: cap(logits, architecture.logitCap) }
}

/** What attention adds, before any post-norm; on top of `residual` where that is given. */
function* attend(pass: Pass, at: string, parts: BlockArchitecture, input: Tensor, residual?: Tensor): Piece {
  if (!pass.prefix && packs(pass, at, parts)) return yield* attendPacked(pass, at, parts, input, residual)
  const projected = splitSites.some(site => pass.watched(at + site))
    ? yield* projectSplit(pass, at, parts, input)
    : yield* project(pass, at, parts, input)
  let q = yield { site: `${at}attn.hook_q`, value: projected.q }
  let k = yield { site: `${at}attn.hook_k`, value: projected.k }
  const v = yield { site: `${at}attn.hook_v`, value: projected.v }
  if (parts.qNorm) q = normed(pass, q, parts.qNorm)
  if (parts.kNorm) k = normed(pass, k, parts.kNorm)
  if (parts.rotary) {
    const table = pass.rotary(parts)
    q = yield { site: `${at}attn.hook_rot_q`, value: rotate(q, parts.rotary.length, table) }
    k = yield { site: `${at}attn.hook_rot_k`, value: rotate(k, parts.rotary.length, table) }
  }
  const options: AttentionOptions = {
    scale: parts.scale,
    window: parts.window,
    cap: pass.architecture.scoreCap,
  }
  let mixed: Tensor
  if (pass.watched(`${at}attn.hook_attn_scores`) || pass.watched(`${at}attn.hook_pattern`)) {
    const scores = yield { site: `${at}attn.hook_attn_scores`, value: attentionScores(q, k, options) }
    const pattern = yield { site: `${at}attn.hook_pattern`, value: scores.softmax() }
    mixed = attentionMix(pattern, v)
  } else mixed = pass.prefix ? attentionBehind(q, k, v, prefixOf(pass, at), options) : attention(q, k, v, options)
  const z = yield { site: `${at}attn.hook_z`, value: mixed }
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
  return pass.prefix!.blocks.get(blockOf(`${at}attn`)!.layer)!
}

/** Whether attention can read q|k|v as one product makes them: nothing stands or looks between the product and z. */
function packs(pass: Pass, at: string, parts: BlockArchitecture): boolean {
  const between = ['hook_q', 'hook_k', 'hook_v', 'hook_attn_scores', 'hook_pattern', 'hook_z', 'hook_result']
  return (
    canCall('PipelineAttention') &&
    parts.projection.form === 'together' &&
    !parts.rotary &&
    !parts.qNorm &&
    !parts.kNorm &&
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
  const { qkv } = parts.projection as Extract<BlockArchitecture['projection'], { form: 'together' | 'by head' }>
  const normed = yield* norm(pass, `${at}ln1`, parts.ln1, input)
  const rows = linear(normed, weight(pass, qkv.weight), null, qkv.layout) as Tensor3D
  const bias = qkv.bias ? weight(pass, qkv.bias) : null
  const [q, k, v] = [0, 1, 2].map(part => ({ rows, bias, offset: part * heads * headDim }))
  const { scale, window } = parts
  const shape = { heads, kvHeads, headDim, scale, window, cap: pass.architecture.scoreCap }
  return apply(pass, parts.output, attentionOp(q!, k!, v!, shape), { residual })
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
  const all = apply(pass, projection.qkv, normed)
  const [q, k, v] =
    projection.form === 'together' ? all.split(3, -1) : all.reshape([batch, positions, heads, 3 * headDim]).split(3, -1)
  const shaped = (x: Tensor) => x.reshape([batch, positions, heads, headDim])
  return { q: shaped(q!), k: shaped(k!), v: shaped(v!) }
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

/** What the MLP adds, before any post-norm; on top of `residual` where that is given. */
function* mlp(pass: Pass, at: string, parts: BlockArchitecture, input: Tensor, residual?: Tensor): Piece {
  const normed = yield { site: `${at}mlp.hook_in`, value: yield* norm(pass, `${at}ln2`, parts.ln2, input) }
  const post = yield { site: `${at}mlp.hook_post`, value: yield* neurons(pass, at, parts, normed) }
  if (!pass.watched(`${at}mlp.hook_out`)) return apply(pass, parts.mlp.out, post, { residual })
  const out = yield { site: `${at}mlp.hook_out`, value: apply(pass, parts.mlp.out, post) }
  return residual ? residual.add(out) : out
}

/** The MLP's neurons after their activation, [batch, position, mlpWidth]. */
function* neurons(pass: Pass, at: string, parts: BlockArchitecture, input: Tensor): Piece {
  const { architecture } = pass
  const gelu = geluForm(architecture.activation)
  if (gelu && !parts.mlp.gate && !pass.watched(`${at}mlp.hook_pre`)) return apply(pass, parts.mlp.in, input, { gelu })
  const pre = yield { site: `${at}mlp.hook_pre`, value: apply(pass, parts.mlp.gate ?? parts.mlp.in, input) }
  if (!parts.mlp.gate) return activation(pre, architecture.activation)
  const up = yield { site: `${at}mlp.hook_pre_linear`, value: apply(pass, parts.mlp.in, input) }
  return architecture.activation === 'silu' ? siluMul(pre, up) : activation(pre, architecture.activation).mul(up)
}

/** A norm with gain and bias; its two sites are computed apart only when watched. */
function* norm(pass: Pass, at: string, names: NormNames, x: Tensor): Piece {
  if (!pass.watched(`${at}.hook_scale`) && !pass.watched(`${at}.hook_normalized`)) return normed(pass, x, names)
  const { kind, epsilon } = pass.architecture.norm
  const { centred, scale } = normParts(x, kind, epsilon)
  const divisor = yield { site: `${at}.hook_scale`, value: scale }
  return gained(pass, yield { site: `${at}.hook_normalized`, value: centred.div(divisor) }, names)
}

/** The whole norm of x, at no site. */
function normed(pass: Pass, x: Tensor, names: NormNames): Tensor {
  const { kind, epsilon, gainPlusOne } = pass.architecture.norm
  if (!canCall('PipelineNorm'))
    return gained(pass, kind === 'layer' ? layerNorm(x, epsilon) : rmsNorm(x, epsilon), names)
  const stored = weight(pass, names.gain)
  const gain = gainPlusOne ? stored.add(1) : stored
  return normOp(x, { kind, epsilon, gain, bias: names.bias ? weight(pass, names.bias) : null }).value
}

function gained(pass: Pass, normalized: Tensor, names: NormNames): Tensor {
  const stored = weight(pass, names.gain)
  const scaled = normalized.mul(pass.architecture.norm.gainPlusOne ? stored.add(1) : stored)
  return names.bias ? scaled.add(weight(pass, names.bias)) : scaled
}

function apply(pass: Pass, names: LinearNames, x: Tensor, after?: Parameters<typeof linear>[4]): Tensor {
  return linear(x, weight(pass, names.weight), names.bias ? weight(pass, names.bias) : null, names.layout, after)
}

function cap(x: Tensor, limit: number | null): Tensor {
  return limit === null ? x : tf.tidy(() => x.div(limit).tanh().mul(limit))
}

function weight(pass: Pass, name: string): Tensor {
  return pass.weights[name]!
}
