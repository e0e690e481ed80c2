/** Whether effects pass by the rule for causal claims, as they stand. */
import { mean } from '../../statistics/descriptive.ts'
import { rankP } from '../../statistics/tests/permutation.ts'
import { differenceInterval } from './interval.ts'
import { type Rule, type Sample, showsSign } from './rule.ts'

/** What the rule makes of effects; see `rule.ts`. */
export interface Ruled {
  readonly passes: boolean
  /** Effect beyond the mean control of the kind that leaves least of it. */
  readonly beyond: number
}

/** Holds effects, larger ones being more as claimed, to the rule: their rank and their interval against every kind of control. */
export function ruled({ own, kinds }: Sample, { alpha, effectiveAlpha, smallestEffect }: Rule): Ruled {
  const effect = mean(own)
  const against = kinds.map(kind => {
    const means = 'paired' in kind ? kind.paired.map(mean) : [...kind.means]
    const centre = mean(means)
    const interval =
      'paired' in kind
        ? differenceInterval(
            [...own].map((value, d) => value - mean(kind.paired.map(control => control[d]!))),
            means.map(value => value - centre),
            1 - alpha,
          )
        : differenceInterval([...own], means, 1 - alpha)
    return {
      beyond: effect - centre,
      passes:
        rankP(effect, means, 'greater') <= effectiveAlpha && interval.low !== null && interval.low > smallestEffect,
    }
  })
  return {
    passes: showsSign(own.length, alpha) && against.length > 0 && against.every(({ passes }) => passes),
    beyond: Math.min(...against.map(({ beyond }) => beyond)),
  }
}
