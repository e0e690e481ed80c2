/**
 * Power and minimum detectable effect by simulation, for any test: documents are drawn with replacement from a pilot's
 * differences, centred so that nothing is there, and the effect is added (Efron and Tibshirani 1993, chapter 25).
 */
import { Random } from '../../core/random.ts'
import { checkBetween, checkCount, checkNumber, checkValues } from '../check.ts'
import { mean } from '../descriptive.ts'
import { wilson } from '../intervals/proportion.ts'

export interface Simulation {
  /** One difference a document, at least two. */
  readonly pilot: ArrayLike<number>
  /** Documents of the study that is asked about. */
  readonly n: number
  /** The test's p-value; its own draws must come from `random`. */
  readonly test: (differences: Float64Array, random: Random) => number
  /** Run i draws from `new Random(seed, 'power', i)`, whatever the effect. */
  readonly seed: number
  readonly alpha?: number
  readonly runs?: number
}

export interface SimulatedPower {
  readonly power: number
  /** Wilson's 95 % interval of the power for the number of runs. */
  readonly low: number
  readonly high: number
  readonly runs: number
}

/** The share of runs in which the test finds `effect` (in the unit of the differences) at α. */
export function simulatedPower(
  effect: number,
  { pilot, n, test, seed, alpha = 0.05, runs = 1000 }: Simulation,
): SimulatedPower {
  checkNumber('effect', effect)
  checkValues('pilot', pilot, 2)
  checkCount('n', n, 1)
  checkCount('runs', runs, 1)
  checkBetween('alpha', alpha, 0, 1)
  const centre = mean(pilot)
  const differences = new Float64Array(n)
  let found = 0
  for (let run = 0; run < runs; run++) {
    const random = new Random(seed, 'power', run)
    for (let i = 0; i < n; i++) differences[i] = pilot[random.int(pilot.length)]! - centre + effect
    const p = test(differences, random)
    checkNumber('the p-value of the test', p, 0, 1)
    if (p <= alpha) found++
  }
  const [low, high] = wilson(found, runs)
  return { power: found / runs, low, high, runs }
}

/**
 * The least positive effect that is found with the wanted power, to .1 % of itself: every effect meets the same draws,
 * so that power rises with it. Null where the power is not reached at 1,000 standard deviations of the pilot, and where
 * the pilot does not vary.
 */
export function simulatedDetectable({
  power = 0.8,
  ...simulation
}: Simulation & { readonly power?: number }): number | null {
  checkBetween('power', power, 0, 1)
  checkValues('pilot', simulation.pilot, 2)
  const centre = mean(simulation.pilot)
  const spread = Math.sqrt(mean(Float64Array.from(simulation.pilot, value => (value - centre) ** 2)))
  if (!(spread > 1e-15 * Math.abs(centre))) return null
  const reached = (effect: number) => simulatedPower(effect, simulation).power >= power
  if (reached(0)) return 0
  let [low, high] = [0, spread / Math.sqrt(simulation.n)]
  while (!reached(high)) {
    low = high
    high *= 2
    if (high > 1000 * spread) return null
  }
  while (high - low > 1e-3 * high) {
    const middle = (low + high) / 2
    if (reached(middle)) high = middle
    else low = middle
  }
  return high
}
