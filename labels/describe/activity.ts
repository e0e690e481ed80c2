/** How often, how strongly, and in which strata a latent fires. */
import type { TokenDataset } from '../../datasets/document.ts'
import { type Activations, firstPosition } from '../../latents/activations.ts'
import type { Feature, Histogram, StratumDensity } from '../feature.ts'

/** Density, mean, maximum and histogram of a latent's activations, and how they lie in the windows. */
export function activityOf(
  { offsets, window, position, value, tokens, windows }: Activations,
  latent: number,
  bins: number,
): Pick<Feature, 'density' | 'meanActivation' | 'maxActivation' | 'histogram' | 'windows' | 'meanRun'> {
  const [start, end] = [offsets[latent]!, offsets[latent + 1]!]
  let [sum, max, runs, fired] = [0, 0, 0, 0]
  for (let e = start; e < end; e++) {
    sum += value[e]!
    if (value[e]! > max) max = value[e]!
    const sameWindow = e > start && window[e] === window[e - 1]
    if (!sameWindow) fired++
    if (!sameWindow || position[e] !== position[e - 1]! + 1) runs++
  }
  const count = end - start
  const counts = new Array<number>(bins).fill(0)
  for (let e = start; e < end; e++) counts[Math.min(bins - 1, Math.ceil((value[e]! / max) * bins) - 1)]! += 1
  return {
    density: tokens > 0 ? count / tokens : 0,
    meanActivation: count > 0 ? sum / count : null,
    maxActivation: max,
    histogram: { edges: equalEdges(0, max, bins), counts },
    windows: windows.length > 0 ? fired / windows.length : 0,
    meanRun: runs > 0 ? count / runs : null,
  }
}

/** The edges of `bins` equal bins. */
function equalEdges(low: number, high: number, bins: number): number[] {
  return Array.from({ length: bins + 1 }, (_, i) => (i === bins ? high : low + ((high - low) * i) / bins))
}

/** Counts values in equal bins from the least to the largest of them, `low` and `high`; a value on an edge is of the lower bin. */
export function histogramOf(
  values: Float32Array,
  { low, high }: { readonly low: number; readonly high: number },
  bins: number,
): Histogram {
  const counts = new Uint32Array(bins)
  const scale = high > low ? bins / (high - low) : 0
  for (let i = 0; i < values.length; i++)
    counts[Math.min(bins - 1, Math.max(0, Math.ceil((values[i]! - low) * scale) - 1))]!++
  return { edges: equalEdges(low, high, bins), counts: Array.from(counts) }
}

/** The stratum of every token that is read, prepared once; fields with more values than `mostValues` are left out. */
export interface StrataFacts {
  readonly names: readonly string[]
  readonly tokens: readonly number[]
  /** Strata of the documents, by document. */
  readonly ofDocument: readonly (readonly number[])[]
}

/** A field of more values than this tells documents apart, not kinds of text. */
const mostValues = 32

/** Prepares what `strataOf` needs. */
export function strataFacts({ windows }: Activations, { documents }: TokenDataset): StrataFacts {
  const used = new Set<number>()
  for (const window of windows)
    for (let p = firstPosition; p < window.tokens.length; p++) used.add(window.documents[p]!)
  const values = new Map<string, Set<string>>()
  for (const place of used)
    for (const [field, value] of Object.entries(documents.at(place)!.strata))
      values.set(field, (values.get(field) ?? new Set()).add(value))
  const names = [...values]
    .filter(([, set]) => set.size <= mostValues)
    .flatMap(([field, set]) => [...set].map(value => `${field}=${value}`))
    .sort()
  const place = new Map(names.map((name, i) => [name, i]))
  const ofDocument: number[][] = []
  for (const d of used)
    ofDocument[d] = Object.entries(documents.at(d)!.strata)
      .map(([field, value]) => place.get(`${field}=${value}`))
      .filter(i => i !== undefined)
  const tokens = new Array<number>(names.length).fill(0)
  for (const window of windows)
    for (let p = firstPosition; p < window.tokens.length; p++)
      for (const i of ofDocument[window.documents[p]!]!) tokens[i]!++
  return { names, tokens, ofDocument }
}

/** Density of a latent in every stratum. */
export function strataOf(
  { offsets, window, position, windows }: Activations,
  latent: number,
  { names, tokens, ofDocument }: StrataFacts,
): StratumDensity[] {
  const fires = new Array<number>(names.length).fill(0)
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++)
    for (const i of ofDocument[windows[window[e]!]!.documents[position[e]!]!]!) fires[i]!++
  return names.map((stratum, i) => ({ stratum, tokens: tokens[i]!, density: fires[i]! / tokens[i]! }))
}
