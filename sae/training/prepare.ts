/** From served rows to tensors, and fresh weights that fit the data. */
import { UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { hostValues } from '../../engine/host.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Params } from '../architecture.ts'
import type { ResolvedTraining } from './config.ts'
import { decoderBiasStart } from './decoder-bias.ts'
import { checkFinite } from './finite.ts'
import type { TrainingPlan } from './plan.ts'
import { rowScale, rowsVary } from './row-scale.ts'

/** Columns of a served row: the input sites, then the sites to predict. */
function rowLength({ shape, targetSites }: TrainingPlan): number {
  return shape.width + (targetSites.length > 0 ? shape.outputs : 0)
}

/** Served rows as a tensor [rows, columns], which is the caller's; a `NotFiniteError` where one holds what is not finite. */
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

/** What rows are multiplied by in training: those that are read, and those that are predicted. */
export interface Scales {
  readonly input: number
  readonly target: number
}

/** Rows as they were captured. */
export const unscaled: Scales = { input: 1, target: 1 }

/** Input and target tensors of served rows [rows, columns], times their scales. The rows stay the caller's. */
export function split(
  rows: Tensor2D,
  { shape, targetSites }: Pick<TrainingPlan, 'shape' | 'targetSites'>,
  scales: Scales,
): { input: Tensor2D; target: Tensor2D } {
  const count = rows.shape[0]
  const times = (part: Tensor2D, scale: number) => (scale === 1 ? part.clone() : part.mul<Tensor2D>(scale))
  return tf.tidy(() => {
    if (targetSites.length === 0) {
      const all = times(rows, scales.input)
      return { input: all, target: all }
    }
    return {
      input: times(rows.slice([0, 0], [count, shape.width]), scales.input),
      target: times(rows.slice([0, shape.width], [count, shape.outputs]), scales.target),
    }
  })
}

/** Fresh weights, the scales of the rows and the variance of the scaled targets, from a sample of rows, which must not be all equal. */
export function startFrom(sample: Float32Array, plan: TrainingPlan, { architecture, own, training }: ResolvedTraining) {
  const columns = rowLength(plan)
  const { width } = plan.shape
  mustVary(sample, { columns, from: 0, to: width }, plan.inputSites)
  if (columns > width) mustVary(sample, { columns, from: width, to: columns }, plan.targetSites)
  const input = rowScale(sample, { columns, from: 0, to: width }, training.inputScale)
  const target = columns > width ? rowScale(sample, { columns, from: width, to: columns }, training.inputScale) : input
  const scales: Scales = { input, target }
  const params: Params = architecture.init(plan.shape, own, new Random(plan.seed, 'weights'))
  const rows = rowsTensor(sample, columns)
  const batch = split(rows, plan, scales)
  rows.dispose()
  if (params.bDec) {
    params.bDec.dispose()
    params.bDec = decoderBiasStart(training.decoderBias, batch.target)
  }
  architecture.centre?.(params, batch.input, own)
  const [variance] = hostValues(() => batch.target.sub(batch.target.mean(0)).square().sum(1).mean())
  tf.dispose([batch.input, batch.target])
  return { params, scales, variance: variance! }
}

/** Throws where several rows are all equal: an SAE explains how rows differ. What is not finite has a sentence of its own. */
function mustVary(sample: Float32Array, part: { columns: number; from: number; to: number }, sites: string[]): void {
  const rows = sample.length / part.columns
  if (rows < 2 || !sample.every(Number.isFinite) || rowsVary(sample, part)) return
  throw new UserError(
    `The activations at ${sites.join(', ')} are the same in all ${rows} rows that were looked at: there is nothing to learn.`,
    { fix: 'Capture another site or other text, and look with `pipeline model verify` whether the model is whole.' },
  )
}
