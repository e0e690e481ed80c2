/**
 * SAELens keeps some SAEs otherwise while it trains them than afterwards: JumpReLU's thresholds as their logarithms (before
 * 6.48), and BatchTopK's as one number, against latents multiplied by their decoder norm. Both are read as the JumpReLU
 * that SAELens's own `save_inference_model` makes of them.
 */
import { UserError } from '../../../core/errors.ts'
import { type Numbers, rowNorms, scaleColumns, scaleRows } from '../../../engine/torch/numbers.ts'
import type { SaeConfig } from '../../inference.ts'
import { required } from '../files/parts.ts'

/** The tensors of a training checkpoint as inference has them; others are given back as they are. */
export function finishTraining(
  tensors: Readonly<Record<string, Numbers>>,
  config: SaeConfig,
  path: string,
): Record<string, Numbers> {
  const { log_threshold, topk_threshold, ...rest } = tensors
  if ([log_threshold, topk_threshold, tensors.threshold].filter(Boolean).length > 1)
    throw new UserError(`${path} has thresholds in more than one form: which of them hold is not known.`)
  if (log_threshold) return { ...rest, threshold: { ...log_threshold, data: log_threshold.data.map(Math.exp) } }
  const common = topk_threshold?.data[0]
  if (common === undefined || topk_threshold!.data.length !== 1)
    throw new UserError(`topk_threshold in ${path} must be one number.`)
  const [W_enc, b_enc, W_dec] = ['W_enc', 'b_enc', 'W_dec'].map(name =>
    required(new Map(Object.entries(tensors)), name, path),
  ) as [Numbers, Numbers, Numbers]
  const threshold = { shape: b_enc.shape, data: new Float32Array(b_enc.data.length).fill(common) }
  if (config.rescale_acts_by_decoder_norm === false || W_dec.shape.length !== 2 || W_enc.shape.length !== 2)
    return { ...rest, threshold }
  const norms = rowNorms(W_dec)
  return {
    ...rest,
    threshold,
    W_enc: { shape: W_enc.shape, data: scaleColumns(W_enc, norms) },
    b_enc: { shape: b_enc.shape, data: b_enc.data.map((value, j) => value * norms[j]!) },
    W_dec: {
      shape: W_dec.shape,
      data: scaleRows(
        W_dec,
        norms.map(norm => 1 / norm),
      ),
    },
  }
}
