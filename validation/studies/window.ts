/** The therapeutic window of a dose curve: how far above the dose that has the effect lies the one that does harm. */
import type { Random } from '../../core/random.ts'
import { isotonic } from '../../statistics/curves/isotonic.ts'
import { mean, quantile } from '../../statistics/descriptive.ts'
import type { DosesFound } from '../contracts/doses.ts'
import { fewestDocuments } from '../rows.ts'

/** Rising doses above 0, and by dose a value for every document. At dose 0 nothing happens. */
export interface Curve {
  readonly doses: readonly number[]
  readonly target: readonly (readonly number[])[]
  readonly kl: readonly (readonly number[])[]
}

export interface WindowRule {
  /** The effect that is asked for, and the KL that may be. */
  readonly effect: number
  readonly cap: number
  readonly alpha: number
  readonly draws: number
}

/** The window of the mean curves, with a percentile interval over documents. */
export function windowOf(curve: Curve, rule: WindowRule, random: Random): DosesFound['window'] {
  const { doses, target, kl } = curve
  const largest = doses.at(-1)!
  const dosesOf = (sample: ArrayLike<number>) => {
    const curveOf = (values: Curve['target']) => values.map(each => mean(Array.from(sample, d => each[d]!)))
    return { effectDose: doseOf(doses, curveOf(target), rule.effect), capDose: doseOf(doses, curveOf(kl), rule.cap) }
  }
  const ratioOf = ({ effectDose, capDose }: ReturnType<typeof dosesOf>) =>
    effectDose === null ? 0 : (capDose ?? largest) / effectDose
  const n = target[0]!.length
  const whole = dosesOf(Array.from({ length: n }, (_, d) => d))
  const found = { ...whole, ratio: ratioOf(whole), atLeast: whole.effectDose !== null && whole.capDose === null }
  if (n < fewestDocuments) return { ...found, low: null, high: null }
  const ratios = Array.from({ length: rule.draws }, () =>
    ratioOf(dosesOf(Array.from({ length: n }, () => random.int(n)))),
  )
  return { ...found, low: quantile(ratios, rule.alpha / 2), high: quantile(ratios, 1 - rule.alpha / 2) }
}

/** The dose at which the best rising curve through 0 reaches a level; null where it does not. */
function doseOf(doses: readonly number[], values: readonly number[], level: number): number | null {
  const x = [0, ...doses]
  const y = [0, ...isotonic(values).fitted.map(value => Math.max(0, value))]
  const i = y.findIndex(value => value >= level)
  if (i < 0) return null
  return x[i - 1]! + ((level - y[i - 1]!) / (y[i]! - y[i - 1]!)) * (x[i]! - x[i - 1]!)
}
