/** Examples of a latent: the windows where it is strongest, and some from each band of its range. */
import { Random } from '../core/random.ts'
import type { Activations } from '../latents/activations.ts'
import { activationsIn } from '../latents/activations.ts'

/** One window in which a latent is active, around its strongest token there. */
export interface Example {
  /** `top`, or `band-1` (weakest) … `band-n` (strongest) for equal-count bands of the per-window maxima. */
  readonly group: string
  readonly rank: number
  /** Place of the window in `Activations.windows`. */
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
export function examplesOf(activations: Activations, latent: number, options: ExampleOptions, seed: number): Example[] {
  const peaks = windowPeaks(activations, latent).sort(byStrength)
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
    const drawn = random.sample(members, options.perBand).sort(byStrength)
    examples.push(...drawn.map((peak, rank) => shown(peak, `band-${band + 1}`, rank)))
  }
  return examples
}

const byStrength = (a: Peak, b: Peak) => b.activation - a.activation || a.window - b.window

interface Peak {
  /** Place of the window, and the position of its strongest token. */
  readonly window: number
  readonly position: number
  readonly activation: number
}

/** The strongest token of each window in which the latent fires. */
function windowPeaks({ offsets, window, position, value }: Activations, latent: number): Peak[] {
  const peaks: Peak[] = []
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const last = peaks[peaks.length - 1]
    if (last?.window === window[e] && last.activation >= value[e]!) continue
    if (last?.window === window[e]) peaks.pop()
    peaks.push({ window: window[e]!, position: position[e]!, activation: value[e]! })
  }
  return peaks
}

function excerpt(
  activations: Activations,
  latent: number,
  { window, position, activation }: Peak,
  group: string,
  rank: number,
  context: number,
): Example {
  const start = Math.max(0, position - context)
  const end = Math.min(activations.windows[window]!.tokens.length, position + context + 1)
  const inWindow = activationsIn(activations, latent, window)
  const shown = Float32Array.from({ length: end - start }, (_, i) => inWindow.get(start + i) ?? 0)
  return { group, rank, window, position, activation, start, activations: shown }
}
