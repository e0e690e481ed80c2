/**
 * The four-parameter logistic curve of a dose–response: y = A + (B − A) / (1 + (x / EC50)^−h), A at dose 0 and B at
 * saturation, h > 0 (a falling curve has B < A).
 *
 * Given EC50 and h the curve is linear in A and B, so least squares is a search over (ln EC50, ln h) alone (variable
 * projection, Golub and Pereyra 1973): a grid, then Nelder and Mead's simplex (1965) from its best places.
 */
import { checkNumber, checkParallel, checkValues } from '../check.ts'
import { nelderMead } from './nelder-mead.ts'

export interface LogisticCurve {
  readonly bottom: number
  readonly top: number
  readonly ec50: number
  readonly slope: number
}

export interface LogisticFit extends LogisticCurve {
  /** Σ (y − fitted)². */
  readonly residual: number
  readonly rSquared: number
}

const [flattest, steepest] = [0.1, 30]
const starts = 5

/** The curve's value at dose x ≥ 0. */
export function logisticValue(x: number, { bottom, top, ec50, slope }: LogisticCurve): number {
  checkNumber('x', x, 0)
  return bottom + (top - bottom) * rise(x, Math.log(ec50), slope)
}

/**
 * The least-squares fit to responses at doses x ≥ 0. Null where the data do not hold four parameters: fewer than five
 * different doses, responses that do not vary, or a best fit whose EC50 lies beyond the doses or whose slope is not
 * between .1 and 30 (a straight line, a step).
 */
export function fitLogistic(x: ArrayLike<number>, y: ArrayLike<number>): LogisticFit | null {
  checkValues('x', x)
  checkValues('y', y)
  checkParallel('x', x, 'y', y)
  for (let i = 0; i < x.length; i++) checkNumber(`x[${i}]`, x[i]!, 0)
  const positive = [...new Set(Array.from(x).filter(dose => dose > 0))].sort((a, b) => a - b)
  const spread = residualOf(x, y, () => 0).residual
  if (new Set(Array.from(x)).size < 5 || spread === 0) return null

  const [low, high] = [Math.log(positive[0]!), Math.log(positive.at(-1)!)]
  const objective = ([centre, logSlope]: readonly number[]) =>
    residualOf(x, y, dose => rise(dose, centre!, Math.exp(logSlope!))).residual / spread
  const grid: { place: [number, number]; value: number }[] = []
  for (let i = 0; i <= 12; i++) {
    for (const slope of [0.3, 0.7, 1, 1.5, 2.5, 4, 8, 15]) {
      const place: [number, number] = [low + ((high - low) * i) / 12, Math.log(slope)]
      grid.push({ place, value: objective(place) })
    }
  }
  const best = grid
    .sort((a, b) => a.value - b.value)
    .slice(0, starts)
    .map(({ place }) => nelderMead(objective, place, 0.2))
    .reduce((a, b) => (b.value < a.value ? b : a))
  const [centre, slope] = [best.place[0]!, Math.exp(best.place[1]!)]
  if (!(centre > low && centre < high && slope > flattest && slope < steepest)) return null
  const { bottom, range, residual } = residualOf(x, y, dose => rise(dose, centre, slope))
  return { bottom, top: bottom + range, ec50: Math.exp(centre), slope, residual, rSquared: 1 - residual / spread }
}

/** 1 / (1 + (x / EC50)^−h): 0 at dose 0, ½ at EC50, 1 at saturation. */
function rise(x: number, logEc50: number, slope: number): number {
  return x === 0 ? 0 : 1 / (1 + Math.exp(slope * (logEc50 - Math.log(x))))
}

/** The straight line of y on `curve(x)` and what it leaves. */
function residualOf(x: ArrayLike<number>, y: ArrayLike<number>, curve: (x: number) => number) {
  const n = x.length
  const s = Float64Array.from(x, curve)
  let [meanS, meanY] = [0, 0]
  for (let i = 0; i < n; i++) {
    meanS += s[i]! / n
    meanY += y[i]! / n
  }
  let [ss, sy] = [0, 0]
  for (let i = 0; i < n; i++) {
    ss += (s[i]! - meanS) ** 2
    sy += (s[i]! - meanS) * (y[i]! - meanY)
  }
  const range = ss > 1e-20 ? sy / ss : 0
  const bottom = meanY - range * meanS
  let residual = 0
  for (let i = 0; i < n; i++) residual += (y[i]! - bottom - range * s[i]!) ** 2
  return { bottom, range, residual }
}
