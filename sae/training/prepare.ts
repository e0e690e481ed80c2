/** From served rows to tensors, and fresh weights that fit the data. */
import { UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { hostValues } from '../../engine/host.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Params } from '../architecture.ts'
import type { ResolvedTraining } from './config.ts'
import { decoderBiasStart } from './decoder-bias.ts'
import type { TrainingPlan } from './plan.ts'

/** Columns of a served row: the input sites, then the sites to predict. */
export function rowLength({ shape, targetSites }: TrainingPlan): number {
  return shape.width + (targetSites.length > 0 ? shape.outputs : 0)
}

/** Served rows as a tensor [rows, columns], which is the caller's; a `UserError` where one holds what is not finite. */
export function rowsTensor(rows: Float32Array, columns: number): Tensor2D {
  const tensor = tf.tensor2d(rows, [rows.length / columns, columns])
  try {
    // What is not finite makes the sum so. Very large numbers may, too, so the rows themselves have the last word.
    const [sum] = hostValues(() => tensor.sum())
    if (!Number.isFinite(sum)) checkFinite(rows)
    return tensor
  } catch (error) {
    tensor.dispose()
    throw error
  }
}

/** Input and target tensors of served rows [rows, columns], times the input scale. The rows stay the caller's. */
export function split(
  rows: Tensor2D,
  { shape, targetSites }: Pick<TrainingPlan, 'shape' | 'targetSites'>,
  scale: number,
): { input: Tensor2D; target: Tensor2D } {
  const count = rows.shape[0]
  return tf.tidy(() => {
    const all = scale === 1 ? rows.clone() : rows.mul<Tensor2D>(scale)
    if (targetSites.length === 0) return { input: all, target: all }
    return {
      input: all.slice([0, 0], [count, shape.width]),
      target: all.slice([0, shape.width], [count, shape.outputs]),
    }
  })
}

/** Fresh weights, the input scale and the variance of the targets, from a sample of rows. */
export function startFrom(sample: Float32Array, plan: TrainingPlan, { architecture, own, training }: ResolvedTraining) {
  const columns = rowLength(plan)
  const scale = inputScale(sample, columns, plan.shape.width, training.inputScale)
  const params: Params = architecture.init(plan.shape, own, new Random(plan.seed, 'weights'))
  const rows = rowsTensor(sample, columns)
  const { input, target } = split(rows, plan, scale)
  rows.dispose()
  if (params.bDec) {
    params.bDec.dispose()
    params.bDec = decoderBiasStart(training.decoderBias, target)
  }
  architecture.centre?.(params, input, own)
  const [variance] = hostValues(() => target.sub(target.mean(0)).square().sum(1).mean())
  tf.dispose([input, target])
  return { params, scale, variance: variance! }
}

/** The factor that brings rows to the asked-for size, from the input columns of a sample. */
function inputScale(
  sample: Float32Array,
  columns: number,
  width: number,
  kind: ResolvedTraining['training']['inputScale'],
) {
  if (typeof kind === 'number') return kind
  if (kind === 'none') return 1
  const rows = sample.length / columns
  let norms = 0
  let squares = 0
  for (let r = 0; r < rows; r++) {
    let square = 0
    for (let i = r * columns; i < r * columns + width; i++) square += sample[i]! * sample[i]!
    norms += Math.sqrt(square)
    squares += square
  }
  const size = kind === 'mean-norm' ? norms / rows : Math.sqrt(squares / rows)
  return size > 0 ? Math.sqrt(width) / size : 1
}

function checkFinite(rows: Float32Array): void {
  for (let i = 0; i < rows.length; i++)
    if (!Number.isFinite(rows[i]))
      throw new UserError('The activations hold NaN or infinite values.', {
        fix: 'Capture them again; `pipeline runs verify` says whether the shards are as they were written.',
      })
}
