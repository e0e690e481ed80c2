/** A latent less controls that were measured on its own documents, over documents and directions. */
import { mean } from '../../statistics/descriptive.ts'
import { differenceInterval, type MeanInterval } from './interval.ts'
import { isPaired } from './values.ts'

/** The latent's values less the mean control's in each document, and the interval of their mean, of which directions are a sample too. */
export function pairedDifference(
  own: readonly number[],
  controls: readonly (readonly number[])[],
  level: number,
): { readonly differences: readonly number[]; readonly interval: MeanInterval } {
  const differences = own.map((value, d) => value - mean(controls.map(control => control[d]!)))
  const means = controls.map(mean)
  const centre = mean(means)
  return {
    differences,
    interval: differenceInterval(
      differences,
      means.map(value => value - centre),
      level,
    ),
  }
}

/** The interval of a latent's effect less that of a kind of control, on its own documents or, of tied ones, on theirs. */
export function intervalAgainst(
  kind: string,
  own: readonly number[],
  controls: readonly (readonly number[])[],
  level: number,
): MeanInterval {
  return isPaired(kind)
    ? pairedDifference(own, controls, level).interval
    : differenceInterval(own, controls.map(mean), level)
}
