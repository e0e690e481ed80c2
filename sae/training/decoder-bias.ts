/** How the decoder bias starts: at zero, or in the middle of the data. */
import { type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'

/** `geometric-median-absolute` is sought to 1e-5 whatever the unit of the rows, as dictionary_learning does. */
export const decoderBiasStarts = ['geometric-median', 'geometric-median-absolute', 'mean', 'zero'] as const

/** The iteration ends when a step is shorter than this share of the rows' mean distance from where it stands. */
const tolerance = 1e-5
/** The same in the unit of the rows. */
const absoluteTolerance = 1e-5

/** The starting decoder bias [width] for rows like these. */
export function decoderBiasStart(kind: (typeof decoderBiasStarts)[number], rows: Tensor2D): Tensor1D {
  if (kind === 'zero') return tf.zeros([rows.shape[1]])
  if (kind === 'mean') return tf.tidy(() => rows.mean<Tensor1D>(0))
  return geometricMedian(rows, kind === 'geometric-median-absolute' ? { within: absoluteTolerance } : {})
}

/**
 * The point with the smallest sum of distances to the rows, by Weiszfeld's iteration from their mean. Unlike the mean it
 * is not drawn away by a few rows of huge norm. `within` is the step, in the unit of the rows, at which it ends; by default a
 * share of their distances, so that rows in another unit have the same median in that unit.
 */
export function geometricMedian(
  rows: Tensor2D,
  { iterations = 100, within }: { iterations?: number; within?: number } = {},
): Tensor1D {
  let guess = tf.tidy(() => rows.mean<Tensor1D>(0))
  for (let i = 0; i < iterations; i++) {
    const [next, moved, size] = tf.tidy(() => {
      const distance = tf.sqrt(rows.sub(guess).square().sum<Tensor1D>(1))
      const weight = tf.divNoNan(tf.onesLike(distance), distance) as Tensor1D
      const total = weight.sum()
      const middle = tf.divNoNan(rows.mul(weight.expandDims(1)).sum<Tensor1D>(0), total) as Tensor1D
      // Every row on the guess leaves no weight at all: the guess is the median then.
      const point = tf.where(total.greater(0), middle, guess) as Tensor1D
      return [point, tf.sqrt(point.sub(guess).square().sum()), distance.mean()]
    })
    guess.dispose()
    guess = next as Tensor1D
    const [step, distance] = [moved!.dataSync()[0]!, size!.dataSync()[0]!]
    tf.dispose([moved!, size!])
    if (step < (within ?? tolerance * distance) || step === 0) break
  }
  return guess
}
