/** Examples of a latent: the windows where it is strongest, some from each band of its range, and some where it is silent. */
import { Random } from '../../core/random.ts'
import { type Activations, activationsIn, firstPosition } from '../../latents/activations.ts'

/** What examples are shown for: the strongest, one of each band, or text on which the latent is silent. */
export interface Example {
  /**
   * `top`; `band-1` (weakest) … `band-n` (strongest) for equal-count bands of the per-window maxima; `silent` for a window in
   * which the latent does not fire; `silent-same-token` for one that has a token, though, at which it does elsewhere.
   */
  readonly group: string
  readonly rank: number
  /** Place of the window in `Activations.windows`. */
  readonly window: number
  /** Position of the strongest token in the window; of a silent one, of the token that it is shown around. */
  readonly position: number
  readonly activation: number
  /** Least and largest maximum of the band's windows, and their share of the windows in which it fires; null beside bands. */
  readonly low: number | null
  readonly high: number | null
  readonly share: number | null
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
  /** Windows in which the latent is silent: half of them have a token at which it fires elsewhere, where there are any. */
  readonly silent: number
}

/** Places at which each token stands, for finding it where a latent is silent; prepared once. */
export interface Occurrences {
  readonly offsets: ReadonlyMap<number, readonly [start: number, end: number]>
  readonly window: Uint32Array
  readonly position: Uint16Array
}

/** Every place of every token but the first of each window. */
export function occurrencesOf({ windows, tokens }: Activations): Occurrences {
  const counts = new Map<number, number>()
  for (const { tokens: ids } of windows)
    for (let p = firstPosition; p < ids.length; p++) counts.set(ids[p]!, (counts.get(ids[p]!) ?? 0) + 1)
  const offsets = new Map<number, [number, number]>()
  let total = 0
  for (const [token, count] of counts) {
    offsets.set(token, [total, total])
    total += count
  }
  const [window, position] = [new Uint32Array(tokens), new Uint16Array(tokens)]
  windows.forEach(({ tokens: ids }, w) => {
    for (let p = firstPosition; p < ids.length; p++) {
      const range = offsets.get(ids[p]!)!
      window[range[1]] = w
      position[range[1]++] = p
    }
  })
  return { offsets, window, position }
}

/** Places drawn in search of one where the latent is silent, for each that is wanted. */
const triesForOne = 20

/**
 * Places where a latent is silent in the whole window, in windows of their own: `wanted` of any token, or of those of
 * `tokens`. Fewer where few draws find one.
 */
export function silentPlaces(
  activations: Activations,
  latent: number,
  occurrences: Occurrences,
  wanted: number,
  random: Random,
  { tokens, taken }: { readonly tokens?: readonly number[]; readonly taken: Set<number> },
): { readonly window: number; readonly position: number }[] {
  const ranges = (tokens ?? []).flatMap(token => {
    const range = occurrences.offsets.get(token)
    return range ? [range] : []
  })
  const size = tokens ? ranges.reduce((sum, [start, end]) => sum + end - start, 0) : occurrences.window.length
  const found: { window: number; position: number }[] = []
  if (size === 0) return found
  for (let tries = 0; found.length < wanted && tries < wanted * triesForOne; tries++) {
    let at = random.int(size)
    if (tokens) {
      let range = 0
      while (at >= ranges[range]![1] - ranges[range]![0]) at -= ranges[range]![1] - ranges[range++]![0]
      at += ranges[range]![0]
    }
    const window = occurrences.window[at]!
    if (taken.has(window)) continue
    taken.add(window)
    if (activationsIn(activations, latent, window).size > 0) continue
    found.push({ window, position: occurrences.position[at]! })
  }
  return found
}

/** The examples of one latent, strongest first, then the bands; `seed` decides the draws within bands. */
export function examplesOf(
  activations: Activations,
  latent: number,
  options: ExampleOptions,
  seed: number,
  hard: { readonly occurrences: Occurrences; readonly tokens: readonly number[] } | undefined = undefined,
): Example[] {
  const peaks = windowPeaks(activations, latent).sort(byStrength)
  const shown = (peak: Peak, group: string, rank: number, band: Pick<Example, 'low' | 'high' | 'share'> = noBand) =>
    excerpt(activations, latent, peak, { group, rank, ...band }, options.context)
  const examples = peaks.slice(0, options.top).map((peak, rank) => shown(peak, 'top', rank))
  const rest = peaks.slice(options.top).reverse()
  const random = new Random(seed, 'examples', latent)
  if (rest.length > 0) examples.push(...banded())
  if (hard && peaks.length > 0) examples.push(...silent(hard))
  return examples

  function banded(): Example[] {
    const found: Example[] = []
    for (let band = 0; band < options.bands; band++) {
      const members = rest.slice(
        Math.floor((band * rest.length) / options.bands),
        Math.floor(((band + 1) * rest.length) / options.bands),
      )
      if (members.length === 0) continue
      const edges = {
        low: members[0]!.activation,
        high: members[members.length - 1]!.activation,
        share: members.length / peaks.length,
      }
      const drawn = random.sample(members, options.perBand).sort(byStrength)
      found.push(...drawn.map((peak, rank) => shown(peak, `band-${band + 1}`, rank, edges)))
    }
    return found
  }

  function silent({ occurrences, tokens }: NonNullable<typeof hard>): Example[] {
    const taken = new Set<number>()
    const same = Math.floor(options.silent / 2)
    const hardOnes = silentPlaces(activations, latent, occurrences, same, random, { tokens, taken })
    const rest = silentPlaces(activations, latent, occurrences, options.silent - hardOnes.length, random, { taken })
    return [
      ...hardOnes.map((place, rank) => shown({ ...place, activation: 0 }, 'silent-same-token', rank)),
      ...rest.map((place, rank) => shown({ ...place, activation: 0 }, 'silent', rank)),
    ]
  }
}

const noBand = { low: null, high: null, share: null }

const byStrength = (a: Peak, b: Peak) => b.activation - a.activation || a.window - b.window

/** A place in a window, and how strong the latent is there. */
export interface Peak {
  /** Place of the window, and the position of its strongest token. */
  readonly window: number
  readonly position: number
  readonly activation: number
}

/** The strongest token of each window in which the latent fires. */
export function windowPeaks({ offsets, window, position, value }: Activations, latent: number): Peak[] {
  const peaks: Peak[] = []
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const last = peaks[peaks.length - 1]
    if (last?.window === window[e] && last.activation >= value[e]!) continue
    if (last?.window === window[e]) peaks.pop()
    peaks.push({ window: window[e]!, position: position[e]!, activation: value[e]! })
  }
  return peaks
}

/** A peak with the tokens around it. */
export function excerpt(
  activations: Activations,
  latent: number,
  { window, position, activation }: Peak,
  place: Pick<Example, 'group' | 'rank' | 'low' | 'high' | 'share'>,
  context: number,
): Example {
  const start = Math.max(0, position - context)
  const end = Math.min(activations.windows[window]!.tokens.length, position + context + 1)
  const inWindow = activationsIn(activations, latent, window)
  const shown = Float32Array.from({ length: end - start }, (_, i) => inWindow.get(start + i) ?? 0)
  return { ...place, window, position, activation, start, activations: shown }
}
