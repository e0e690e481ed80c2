/** SAELens's normalisations of input rows, and their way back. */
import { UserError } from '../core/errors.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'

/** Brings a reconstruction back to the units of the rows it stands for. */
export type Undo = (reconstruction: Tensor2D) => Tensor2D

const same: Undo = rows => rows

/**
 * Rows as the SAE sees them. `layer_norm` takes each row's mean and (unbiased) deviation away; `constant_norm_rescale`
 * gives each row norm √width; `expected_average_only_in` is folded into the weights before saving, so nothing is left.
 */
export function normalise(kind: unknown, rows: Tensor2D): { rows: Tensor2D; undo: Undo } {
  switch (kind) {
    case undefined:
    case false:
    case 'none':
    case 'expected_average_only_in':
      return { rows, undo: same }
    case 'layer_norm': {
      const mean = rows.mean(1, true)
      const shifted = rows.sub<Tensor2D>(mean)
      const deviation = tf.sqrt(
        shifted
          .square()
          .sum(1, true)
          .div(rows.shape[1] - 1),
      )
      return { rows: shifted.div(deviation.add(1e-5)), undo: r => r.mul<Tensor2D>(deviation).add(mean) }
    }
    case 'constant_norm_rescale': {
      const factor = tf.sqrt(rows.square().sum(1, true)).pow(-1).mul(Math.sqrt(rows.shape[1]))
      return { rows: rows.mul(factor), undo: r => r.div(factor) }
    }
    default:
      throw new UserError(`The activation normalisation ${String(kind)} is not known.`, {
        fix: 'Known are none, expected_average_only_in, layer_norm and constant_norm_rescale.',
      })
  }
}
