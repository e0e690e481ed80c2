/** Activations with a known dictionary, for tests and demonstrations: rows are sparse sums of planted directions. */
import { Random } from '../../core/random.ts'
import type { ActivationSource } from './rows.ts'

export interface Planted extends ActivationSource {
  /** True directions [features × width], each of norm 1. */
  readonly directions: Float32Array
  readonly width: number
  readonly features: number
}

/**
 * `rows` rows of `width` columns: each is an offset plus `active` of `features` random unit directions, times magnitudes
 * of 0.5 to 1.5, plus a little noise. With several `sites`, each has its own directions and the features in common.
 */
export function plantedCapture(options: {
  rows: number
  width: number
  features: number
  active: number
  seed: number
  noise?: number
  sites?: readonly string[]
}): Planted {
  const { rows, width, features, active, seed, noise = 0.01, sites = ['site'] } = options
  const random = new Random(seed, 'planted')
  const bases = sites.map(() => ({ directions: unitRows(features, width, random), offset: random.normals(width, 0.5) }))
  const data = sites.map(() => new Float32Array(rows * width))
  const all = Array.from({ length: features }, (_, i) => i)
  for (let r = 0; r < rows; r++) {
    const chosen = random.sample(all, active).map(feature => ({ feature, size: 0.5 + random.uniform() }))
    bases.forEach(({ directions, offset }, s) => {
      for (let i = 0; i < width; i++) {
        let value = offset[i]! + noise * random.normal()
        for (const { feature, size } of chosen) value += size * directions[feature * width + i]!
        data[s]![r * width + i] = value
      }
    })
  }
  return {
    rows,
    width,
    features,
    sites: sites.map(name => ({ name, width })),
    directions: bases[0]!.directions,
    async readRange(site, start, count) {
      return data[sites.indexOf(site)]!.slice(start * width, (start + count) * width)
    },
  }
}

function unitRows(rows: number, width: number, random: Random): Float32Array {
  const values = random.normals(rows * width)
  for (let r = 0; r < rows; r++) {
    const norm = Math.hypot(...values.subarray(r * width, (r + 1) * width))
    for (let i = r * width; i < (r + 1) * width; i++) values[i]! /= norm
  }
  return values
}
