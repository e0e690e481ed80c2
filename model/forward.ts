/**
 * The forward pass, once for every family, as generators: each `yield` is a site. Whoever drives them may read the
 * value, send back another, or stop there; what comes back is what the pass goes on with.
 *
 *   x ← embed(tokens);  for each block  x ← x + attn(ln1 x),  x ← x + mlp(ln2 x);  logits = unembed(ln_final x)
 *
 * Values that only a site needs (a norm's scale, scores, results by head) are computed when that site is watched.
 */
import { inBlock } from '../core/sites.ts'
import { type Tensor, tf } from '../engine/tf.ts'
import type { NormNames } from './architecture.ts'
import { attend } from './attend.ts'
import { mlp } from './mlp.ts'
import { apply, norm, normed, type Pass, type Piece, takenOn, weight } from './pass.ts'

/** Residual stream before the first block, [batch, position, width]. */
export function* embed(pass: Pass, tokens: Tensor): Piece {
  const { architecture } = pass
  const positions = tokens.shape[1]!
  let embedding = weight(pass, architecture.embedding).gather(tokens)
  if (architecture.embeddingScale !== 1) embedding = embedding.mul(architecture.embeddingScale)
  if (architecture.embeddingNorm) embedding = normed(pass, embedding, architecture.embeddingNorm)
  const tokenPart = yield { site: 'hook_embed', value: embedding }
  if (!architecture.positions) return tokenPart
  const table = weight(pass, architecture.positions).slice(
    [architecture.positionOffset, 0],
    [positions, architecture.config.width],
  )
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
  const own = takenOn(pass, layer, before)
  const sum = yield* join(pass, own, `${at}hook_attn_out`, parts.ln1Post, `${at}ln1_post`, stream =>
    attend(pass, at, parts, before, stream),
  )
  const middle = pass.architecture.parallel ? sum : yield { site: `${at}hook_resid_mid`, value: sum }
  const mlpInput = yield { site: `${at}hook_mlp_in`, value: pass.architecture.parallel ? own : middle }
  const after = yield* join(pass, middle, `${at}hook_mlp_out`, parts.ln2Post, `${at}ln2_post`, stream =>
    mlp(pass, at, parts, mlpInput, stream),
  )
  return yield { site: `${at}hook_resid_post`, value: after }
}

/**
 * The residual stream and what a piece adds to it, after a norm of its own where the family has one. A piece whose output
 * nobody looks at, or scales, is given the stream, and its last product adds it.
 */
function* join(
  pass: Pass,
  stream: Tensor,
  site: string,
  post: NormNames | null,
  postAt: string,
  piece: (stream?: Tensor) => Piece,
): Piece {
  const { residualScale } = pass.architecture
  if (!post && residualScale === 1 && !pass.watched(site)) return yield* piece(stream)
  let added: Tensor = yield* piece()
  if (post) added = yield* norm(pass, postAt, post, added)
  if (residualScale !== 1) added = added.mul(residualScale)
  return stream.add(yield { site, value: added })
}

/** Logits [batch, position, vocabulary] from the last residual. */
export function* unembed(pass: Pass, input: Tensor): Piece {
  const { architecture } = pass
  const normed = yield* norm(pass, 'ln_final', architecture.finalNorm, input)
  const last = yield { site: 'unembed.hook_in', value: normed }
  const { unembedding, unembeddingBias: bias, logitScale, logitCap } = architecture
  const logits = apply(pass, { weight: unembedding, bias, layout: 'out-in' }, last)
  return yield { site: 'unembed.hook_out', value: cap(logitScale === 1 ? logits : logits.mul(logitScale), logitCap) }
}

function cap(x: Tensor, limit: number | null): Tensor {
  return limit === null ? x : tf.tidy(() => x.div(limit).tanh().mul(limit))
}
