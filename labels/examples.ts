/** Examples of a latent: the windows where it is strongest, and some from each band of its range. */
import { Random } from '../core/random.ts'
import type { LatentActivations } from './activations.ts'

/** One window in which a latent is active, around its strongest token there. */
export interface Example {
  /** `top`, or `band-1` (weakest) … `band-n` (strongest) for equal-count bands of the per-window maxima. */
  readonly group: string
  readonly rank: number
  /** Place of the window in `LatentActivations.windows`. */
  readonly window: number
  /** Position of the strongest token in the window. */
  readonly position: number
  readonly activation: number
  /** First position of the excerpt, and the latent's activation at each of its positions. */
  readonly start: number
  readonly activations: Float32Array
}

export interface ExampleOptions {
  /** Windows with the largest maxima. */
  readonly top: number
  /** Equal-count bands of the remaining windows, and windows drawn from each. */
  readonly bands: number
  readonly perBand: number
  /** Tokens shown on each side of the strongest one. */
  readonly context: number
}

/** The examples of one latent, strongest first, then the bands; `seed` decides the draws within bands. */
export function examplesOf(
  activations: LatentActivations,
  latent: number,
  options: ExampleOptions,
  seed: number,
): Example[] {
  const peaks = windowPeaks(activations, latent).sort((a, b) => b.activation - a.activation || a.row - b.row)
  const shown = (peak: Peak, group: string, rank: number) =>
    excerpt(activations, latent, peak, group, rank, options.context)
  const examples = peaks.slice(0, options.top).map((peak, rank) => shown(peak, 'top', rank))
  const rest = peaks.slice(options.top).reverse()
  if (options.bands === 0 || rest.length === 0) return examples
  const random = new Random(seed, 'examples', latent)
  for (let band = 0; band < options.bands; band++) {
    const members = rest.slice(
      Math.floor((band * rest.length) / options.bands),
      Math.floor(((band + 1) * rest.length) / options.bands),
    )
    const drawn = random.sample(members, options.perBand).sort((a, b) => b.activation - a.activation || a.row - b.row)
    examples.push(...drawn.map((peak, rank) => shown(peak, `band-${band + 1}`, rank)))
  }
  return examples
}

interface Peak {
  readonly row: number
  readonly activation: number
}

/** The strongest row of each window in which the latent fires. */
function windowPeaks({ offsets, rows, values, windowOf }: LatentActivations, latent: number): Peak[] {
  const peaks: Peak[] = []
  let window = -1
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const row = rows[e]!
    if (windowOf[row] !== window) {
      window = windowOf[row]!
      peaks.push({ row, activation: values[e]! })
    } else if (values[e]! > peaks[peaks.length - 1]!.activation) {
      peaks[peaks.length - 1] = { row, activation: values[e]! }
    }
  }
  return peaks
}

function excerpt(
  activations: LatentActivations,
  latent: number,
  peak: Peak,
  group: string,
  rank: number,
  context: number,
): Example {
  const window = activations.windowOf[peak.row]!
  const position = activations.positionOf[peak.row]!
  const start = Math.max(0, position - context)
  const end = Math.min(activations.windows[window]!.tokens.length, position + context + 1)
  const shown = new Float32Array(end - start)
  for (let p = start; p < end; p++) {
    const row = peak.row + p - position
    if (row >= 0 && activations.windowOf[row] === window) shown[p - start] = activationAt(activations, latent, row)
  }
  return { group, rank, window, position, activation: peak.activation, start, activations: shown }
}

/** The latent's activation at a row, 0 where it is silent (binary search in its entries). */
export function activationAt({ offsets, rows, values }: LatentActivations, latent: number, row: number): number {
  let low = offsets[latent]!
  let high = offsets[latent + 1]!
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (rows[middle]! < row) low = middle + 1
    else high = middle
  }
  return low < offsets[latent + 1]! && rows[low] === row ? values[low]! : 0
}
