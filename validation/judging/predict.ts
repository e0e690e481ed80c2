/**
 * Samples that were not made: what another sample of the same size would see if this one had its documents' spread and its
 * controls' distribution right. Values drawn again from those at hand would not do: few documents drawn again vary less than
 * new ones do, and controls drawn again never reach farther than they did.
 */
import { Random } from '../../core/random.ts'
import { mean } from '../../statistics/descriptive.ts'
import { tailP } from '../../statistics/tests/tail.ts'
import { boundFactor, fewestForTail } from './rank.ts'

/** Mean and standard deviation of a column in a new sample. */
export interface Predicted {
  readonly mean: number
  readonly deviation: number
}

/**
 * Draws what `columns`, each with a value a document, would be in as many other documents: normal, with means 0 and the
 * covariance at hand.
 */
export function documentPredictor(columns: readonly ArrayLike<number>[]): (random: Random) => Predicted[] {
  const n = columns[0]!.length
  const root = covarianceRoot(columns)
  const [sums, squares, own] = [0, 1, 2].map(() => new Float64Array(columns.length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  return random => {
    sums.fill(0)
    squares.fill(0)
    for (let document = 0; document < n; document++) {
      for (let c = 0; c < own.length; c++) own[c] = random.normal()
      root.forEach((row, c) => {
        let value = 0
        for (let i = 0; i <= c; i++) value += row[i]! * own[i]!
        sums[c]! += value
        squares[c]! += value * value
      })
    }
    return columns.map((_, c) => ({
      mean: sums[c]! / n,
      deviation: Math.sqrt(Math.max(0, squares[c]! - sums[c]! ** 2 / n) / (n - 1)),
    }))
  }
}

/** The lower triangular root of the columns' covariance (Cholesky), with zeros where a column adds nothing to those before. */
function covarianceRoot(columns: readonly ArrayLike<number>[]): Float64Array[] {
  const n = columns[0]!.length
  const means = columns.map(mean)
  const covariance = (a: number, b: number) => {
    let sum = 0
    for (let d = 0; d < n; d++) sum += (columns[a]![d]! - means[a]!) * (columns[b]![d]! - means[b]!)
    return sum / (n - 1)
  }
  const root = columns.map(() => new Float64Array(columns.length))
  for (let a = 0; a < columns.length; a++)
    for (let b = 0; b <= a; b++) {
      let rest = covariance(a, b)
      const whole = Math.abs(rest)
      for (let i = 0; i < b; i++) rest -= root[a]![i]! * root[b]![i]!
      if (a === b) root[a]![a] = rest > 1e-9 * whole ? Math.sqrt(rest) : 0
      else root[a]![b] = root[b]![b]! > 0 ? rest / root[b]![b]! : 0
    }
  return root
}

/** A draw of how far as many controls would reach. */
export interface ReachPredictor {
  /** The rank-th largest as it is. */
  readonly own: number
  /** The rank-th largest of other controls. */
  draw(random: Random): number
}

/**
 * Draws the `rank`-th largest of as many other controls, or as were planned where not all were measured: the quantile of theirs at
 * U, which is the rank-th smallest of K uniform numbers. Between the controls at hand, of which the i-th largest lies at i / (K + 1), quantiles are linear; beyond
 * the largest the tail is taken as exponential, with the mean excess of the √K / 2 largest.
 */
export function reachPredictor(controls: ArrayLike<number>, rank: number, planned = controls.length): ReachPredictor {
  const quantile = quantilesOf(controls)
  return {
    own: quantile(rank / (planned + 1)),
    draw(random) {
      // Uniform numbers in ascending order, one from the other.
      let above = 1
      for (let i = 0; i < rank; i++) above *= (1 - random.uniform()) ** (1 / (planned - i))
      return quantile(1 - above)
    },
  }
}

/** The value that a share of all such controls exceed, by the controls at hand and an exponential tail beyond them. */
function quantilesOf(controls: ArrayLike<number>): (share: number) => number {
  const sorted = Float64Array.from(controls).sort().reverse()
  const count = sorted.length
  const tail = Math.min(count - 1, Math.max(1, Math.round(Math.sqrt(count) / 2)))
  const excess = count > 1 ? mean(sorted.subarray(0, tail)) - sorted[tail]! : 0
  return (share: number) => {
    const place = share * (count + 1) - 1
    if (place < 0) return sorted[0]! - excess * Math.log(place + 1)
    const below = Math.min(count - 1, Math.floor(place))
    return sorted[below]! + (place - below) * (sorted[Math.min(count - 1, below + 1)]! - sorted[below]!)
  }
}

/** Spreads of the controls beyond them within which an effect is looked for that passes by their tail. */
const farthest = 256

/**
 * How far an effect must reach where no rank among the controls is small enough and a tail is fitted to them: to where the tail's
 * bound is `share`, or, where their measuring was ended early, to the quantile of such controls. Null where no effect does.
 */
export function tailPredictor(controls: Float64Array, planned: number, share: number): ReachPredictor | null {
  if (planned < fewestForTail) return null
  const at = (own: number): ReachPredictor => ({ own, draw: () => own })
  if (controls.length < fewestForTail) return at(quantilesOf(controls)(share))
  const most = controls.reduce((a, b) => Math.max(a, b))
  const spread = most - controls.reduce((a, b) => Math.min(a, b))
  const isFar = (times: number) =>
    tailP(most + times * spread, controls, new Random('tail reach')).upper <= share / boundFactor
  if (!isFar(farthest)) return null
  let [low, high] = [0, farthest]
  while (high - low > 1e-3 * (1 + low)) {
    const middle = (low + high) / 2
    if (isFar(middle)) high = middle
    else low = middle
  }
  return at(most + high * spread)
}
