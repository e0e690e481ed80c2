/** From served rows to tensors, and fresh weights that fit the data. */
import { UserError } from '../core/errors.ts'
import { Random } from '../core/random.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import type { Params } from './architecture.ts'
import type { ResolvedTraining } from './config.ts'
import { decoderBiasStart } from './decoder-bias.ts'
import { hostValues } from './host.ts'
import type { Plan } from './plan.ts'

/** Columns of a served row: the input sites, then the sites to predict. */
export function rowLength({ shape, targetSites }: Plan): number {
  return shape.width + (targetSites.length > 0 ? shape.outputs : 0)
}

/** Input and target tensors of served rows, times the input scale. */
export function split(
  rows: Float32Array,
  { shape, targetSites }: Plan,
  scale: number,
): { input: Tensor2D; target: Tensor2D } {
  const columns = rowLength({ shape, targetSites } as Plan)
  const count = rows.length / columns
  return tf.tidy(() => {
    const raw = tf.tensor2d(rows, [count, columns])
    const all = scale === 1 ? raw : raw.mul<Tensor2D>(scale)
    if (targetSites.length === 0) return { input: all, target: all }
    return {
      input: all.slice([0, 0], [count, shape.width]),
      target: all.slice([0, shape.width], [count, shape.outputs]),
    }
  })
}

/** Fresh weights, the input scale and the variance of the targets, from a sample of rows. */
export function startFrom(sample: Float32Array, plan: Plan, { architecture, settings, training }: ResolvedTraining) {
  const columns = rowLength(plan)
  const scale = inputScale(sample, columns, plan.shape.width, training.inputScale)
  const params: Params = architecture.init(plan.shape, settings, new Random(plan.seed, 'weights'))
  const { input, target } = split(sample, plan, scale)
  if (params.bDec) {
    params.bDec.dispose()
    params.bDec = decoderBiasStart(training.decoderBias, target)
  }
  architecture.centre?.(params, input, settings)
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

/** Throws a `UserError` when a row holds something that is not a finite number. */
export function checkFinite(rows: Float32Array): void {
  // What is finite gives 0, and nothing else does. Four sums, so that an addition need not wait for the one before.
  let [a, b, c, d] = [0, 0, 0, 0]
  const whole = rows.length - (rows.length % 4)
  for (let i = 0; i < whole; i += 4) {
    a += rows[i]! * 0
    b += rows[i + 1]! * 0
    c += rows[i + 2]! * 0
    d += rows[i + 3]! * 0
  }
  for (let i = whole; i < rows.length; i++) a += rows[i]! * 0
  if (a + b + c + d !== 0)
    throw new UserError('The activations hold NaN or infinite values.', {
      fix: 'Capture them again; `pipeline runs verify` says whether the shards are as they were written.',
    })
}
