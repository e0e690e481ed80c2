/** What the pieces of a forward pass share: sites, norms, linear layers. */
import { canCall } from '../engine/ops/native.ts'
import { norm as normOp } from '../engine/ops/norm.ts'
import { type Tensor, type Tensor1D, tf } from '../engine/tf.ts'
import type { Architecture, BlockArchitecture, HeadNorm, LinearNames, NormNames } from './architecture.ts'
import { linear } from './layers/linear.ts'
import { layerNorm, normParts, rmsNorm } from './layers/norm.ts'
import type { RotaryTable } from './layers/rotary.ts'
import type { Prefix } from './model.ts'

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
  /** Rows [batch · n] of all [batch · position] that are taken on behind the attention of the last block; undefined: all. */
  readonly readAt: Tensor1D | undefined
  rotary(block: BlockArchitecture): RotaryTable
}

/** Of a value [batch, position, …] of a block, the positions that are taken on behind its attention. */
export function takenOn({ architecture, readAt }: Pass, layer: number, value: Tensor): Tensor {
  if (!readAt || layer < architecture.blocks.length - 1) return value
  const [batch, positions, ...rest] = value.shape as [number, number, ...number[]]
  return tf.tidy(() =>
    value
      .reshape([batch * positions, ...rest])
      .gather(readAt)
      .reshape([batch, readAt.size / batch, ...rest]),
  )
}

/** A norm with gain and bias; its two sites are computed apart only when watched. Without names there is no norm. */
export function* norm(pass: Pass, at: string, names: NormNames | null, x: Tensor): Piece {
  if (!names) return x
  if (!pass.watched(`${at}.hook_scale`) && !pass.watched(`${at}.hook_normalized`)) return normed(pass, x, names)
  const { kind, epsilon } = pass.architecture.norm
  const { centred, scale } = normParts(x, kind, epsilon)
  const divisor = yield { site: `${at}.hook_scale`, value: scale }
  return gained(pass, yield { site: `${at}.hook_normalized`, value: centred.div(divisor) }, names)
}

/** The whole norm of x, at no site. */
export function normed(pass: Pass, x: Tensor, names: NormNames): Tensor {
  const { kind, epsilon, gainPlusOne } = pass.architecture.norm
  if (!canCall('PipelineNorm')) return gained(pass, normalized(pass, x), names)
  const stored = names.gain ? weight(pass, names.gain) : null
  const gain = stored && gainPlusOne ? stored.add(1) : stored
  return normOp(x, { kind, epsilon, gain, bias: names.bias ? weight(pass, names.bias) : null }).value
}

/** Queries or keys [batch, position, head, headDim] after their norm. */
export function headNormed(pass: Pass, x: Tensor, names: HeadNorm): Tensor {
  if (names.form === 'listed') {
    const gains = tf.stack(names.gains.map(gain => weight(pass, gain)))
    return normalized(pass, x).mul(gains)
  }
  if (names.form === 'shared') return normed(pass, x, names.names)
  if (names.form === 'by head') return gained(pass, normalized(pass, x), names.names)
  const [batch, positions, heads, headDim] = x.shape as [number, number, number, number]
  return normed(pass, x.reshape([batch, positions, heads * headDim]), names.names).reshape(x.shape)
}

function normalized(pass: Pass, x: Tensor): Tensor {
  const { kind, epsilon } = pass.architecture.norm
  return kind === 'layer' ? layerNorm(x, epsilon) : rmsNorm(x, epsilon)
}

function gained(pass: Pass, normalized: Tensor, names: NormNames): Tensor {
  const stored = names.gain ? weight(pass, names.gain) : null
  const scaled = stored ? normalized.mul(pass.architecture.norm.gainPlusOne ? stored.add(1) : stored) : normalized
  return names.bias ? scaled.add(weight(pass, names.bias)) : scaled
}

/** A linear layer by the names of its weights, and what may follow it in the same op. */
export function apply(pass: Pass, names: LinearNames, x: Tensor, after?: Parameters<typeof linear>[4]): Tensor {
  return linear(x, weight(pass, names.weight), names.bias ? weight(pass, names.bias) : null, names.layout, after)
}

/** A weight by its name. */
export function weight(pass: Pass, name: string): Tensor {
  return pass.weights[name]!
}
