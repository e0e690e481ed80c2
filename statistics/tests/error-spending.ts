/**
 * Boundaries for looking at a claim before all its documents are measured, so that stopping early keeps α (Lan and
 * DeMets 1983, with a spending function like O'Brien and Fleming's).
 *
 *   spent by time t on each side: 2 − 2·Φ(z₁₋α′⸝₂ / √t), α′ = α one-sided and α / 2 for each side of two
 *
 * t is the share of the information (documents) in hand. The z at the looks is a Brownian motion B(t) / √t; its density
 * among paths that have crossed no boundary is carried from look to look (Armitage, McPherson and Rowe 1969).
 */
import { checkBetween, checkCount } from '../check.ts'
import { normalCdf, normalDensity, normalQuantile } from '../distributions/normal.ts'

export interface Look {
  /** Share of the information in hand. */
  readonly time: number
  /** Stop, and reject, at |z| (or z, one-sided) of at least this; null where α spent so far is below 1e-15. */
  readonly boundary: number | null
  /** α spent up to and with this look, both sides together. */
  readonly spent: number
}

/** Half-width of the grid in standard deviations of B(t), and points on it (odd, for Simpson's rule). */
const reach = 8
const points = 801

/**
 * The boundaries of looks at rising `times` in (0, 1]. All of α is spent only by a look at time 1. Two-sided boundaries
 * are symmetric; crossing on one side is not counted off against the other.
 */
export function errorSpending(
  times: readonly number[],
  { alpha = 0.05, sides = 2 }: { alpha?: number; sides?: 1 | 2 } = {},
): Look[] {
  checkCount('the number of looks', times.length, 1)
  checkBetween('alpha', alpha, 0, 1)
  const each = alpha / sides
  const z = normalQuantile(1 - each / 2)
  const looks: Look[] = []
  let paths: Paths | null = null
  let before = 0
  let spentBefore = 0
  times.forEach((time, i) => {
    checkBetween(`times[${i}]`, time, before, 1 + 1e-12)
    const spent = 2 * normalCdf(-z / Math.sqrt(time))
    const step = Math.sqrt(time - before)
    const root = Math.sqrt(time)
    const boundary = spent > 1e-15 ? solve(paths, spent - spentBefore, step, reach * root) : null
    if (boundary !== null) spentBefore = spent
    if (i < times.length - 1) {
      const high = boundary ?? reach * root
      paths = carry(paths, high, sides === 2 ? -high : -reach * root, step)
    }
    looks.push({ time, boundary: boundary === null ? null : boundary / root, spent: sides * spent })
    before = time
  })
  return looks
}

/** The density of B(t) among paths still going, on an even grid. */
interface Paths {
  readonly low: number
  readonly width: number
  readonly density: Float64Array
}

function simpson(i: number, last: number): number {
  return i === 0 || i === last ? 1 : i % 2 === 1 ? 4 : 2
}

/** The boundary that paths still going cross with probability `target`: Newton's steps, halved where they leave the bracket. */
function solve(paths: Paths | null, target: number, step: number, highest: number): number {
  let [low, high] = [0, highest]
  let boundary = highest / 4
  for (let i = 0; i < 200; i++) {
    const [above, density] = crossing(paths, boundary, step)
    if (above > target) low = boundary
    else high = boundary
    const next = boundary + (above - target) / density
    const inside = next > low && next < high
    if (Math.abs(next - boundary) < 1e-12) break
    boundary = inside ? next : (low + high) / 2
    if (high - low < 1e-13) break
  }
  return boundary
}

/** P(still going, and B beyond the boundary after a step of standard deviation `step`), and its density there. */
function crossing(paths: Paths | null, boundary: number, step: number): [above: number, density: number] {
  if (paths === null) return [normalCdf(-boundary / step), normalDensity(boundary / step) / step]
  const { low, width, density } = paths
  let [sum, slope] = [0, 0]
  for (let i = 0; i < density.length; i++) {
    const z = (low + i * width - boundary) / step
    const weight = simpson(i, density.length - 1) * density[i]!
    sum += weight * normalCdf(z)
    slope += (weight * normalDensity(z)) / step
  }
  return [(sum * width) / 3, (slope * width) / 3]
}

function carry(paths: Paths | null, high: number, low: number, step: number): Paths {
  const width = (high - low) / (points - 1)
  const density = new Float64Array(points)
  for (let j = 0; j < points; j++) {
    const x = low + j * width
    if (paths === null) density[j] = normalDensity(x / step) / step
    else {
      const last = paths.density.length - 1
      let sum = 0
      for (let i = 0; i <= last; i++) {
        sum += simpson(i, last) * paths.density[i]! * normalDensity((x - paths.low - i * paths.width) / step)
      }
      density[j] = (sum * paths.width) / (3 * step)
    }
  }
  return { low, width, density }
}
