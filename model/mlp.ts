/** The MLP of one block: neurons, or experts of which each token has some. */
import { siluMul } from '../engine/ops/silu.ts'
import { type Tensor, tf } from '../engine/tf.ts'
import type { BlockArchitecture, FusedNames, NeuronNames } from './architecture.ts'
import { mixture } from './experts.ts'
import { activation, geluForm } from './layers/activation.ts'
import { apply, norm, type Pass, type Piece } from './pass.ts'

/** What the MLP adds, before any post-norm; on top of `residual` where that is given. */
export function* mlp(pass: Pass, at: string, parts: BlockArchitecture, input: Tensor, residual?: Tensor): Piece {
  const normed = yield { site: `${at}mlp.hook_in`, value: yield* norm(pass, `${at}ln2`, parts.ln2, input) }
  const { mlp: names } = parts
  let out: Tensor
  if (names.form === 'experts') out = mixture(pass, names, normed)
  else {
    const post = yield { site: `${at}mlp.hook_post`, value: yield* neurons(pass, at, names, normed) }
    if (!pass.watched(`${at}mlp.hook_out`)) return apply(pass, names.out, post, { residual })
    out = apply(pass, names.out, post)
  }
  out = yield { site: `${at}mlp.hook_out`, value: out }
  return residual ? residual.add(out) : out
}

/** The MLP's neurons after their activation, [batch, position, mlpWidth]. */
function* neurons(pass: Pass, at: string, names: NeuronNames | FusedNames, input: Tensor): Piece {
  const { activation: kind } = pass.architecture
  if (names.form === 'fused') {
    const [gate, up] = tf.split(apply(pass, names.gateUp, input), 2, -1)
    return yield* gated(pass, at, gate!, () => up!)
  }
  const gelu = geluForm(kind)
  if (gelu && !names.gate && !pass.watched(`${at}mlp.hook_pre`)) return apply(pass, names.in, input, { gelu })
  if (names.gate) return yield* gated(pass, at, apply(pass, names.gate, input), () => apply(pass, names.in, input))
  return activation(yield { site: `${at}mlp.hook_pre`, value: apply(pass, names.in, input) }, kind)
}

/** act(gate) · up. */
function* gated(pass: Pass, at: string, gate: Tensor, upOf: () => Tensor): Piece {
  const { activation: kind } = pass.architecture
  const pre = yield { site: `${at}mlp.hook_pre`, value: gate }
  const up = yield { site: `${at}mlp.hook_pre_linear`, value: upOf() }
  return kind === 'silu' ? siluMul(pre, up) : activation(pre, kind).mul(up)
}
