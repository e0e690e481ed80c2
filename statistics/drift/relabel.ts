/**
 * Whether two groups of documents differ in any of many measures, by giving the documents other groups at random: max-T
 * over all measures at once (Westfall and Young 1993), which holds the family-wise error whatever their dependence.
 *
 * A document that both groups have is exchanged with its other half; the others are dealt anew among themselves. Where
 * nothing differs but what was drawn of each document, every such labelling is as likely as the one at hand.
 */
import type { Random } from '../../core/random.ts'
import { checkCount } from '../check.ts'

/** Documents by name; equal names are the two halves of one. */
export interface Groups {
  readonly a: readonly string[]
  readonly b: readonly string[]
}

/** For each of `a`, then of `b`: whether it counts as the first group. */
export type Labels = Uint8Array

/** What one measure came to. */
export interface Relabelled {
  readonly value: number | null
  /** Its mean over the labellings: what it comes to where nothing differs. */
  readonly expected: number | null
  /** (1 + #{value* ≥ value}) / (1 + draws). */
  readonly p: number | null
  /** The same for the whole family: #{max over measures of the standardised value* ≥ this one's}. */
  readonly adjusted: number | null
}

/**
 * The measures of the groups as they are and of `draws` labellings. `measure` gives all of them, larger the more the groups
 * differ, null for one that these labels leave undefined; one undefined at hand is null throughout.
 */
export function relabel(
  groups: Groups,
  measure: (labels: Labels) => readonly (number | null)[],
  random: Random,
  draws = 999,
): Relabelled[] {
  checkCount('draws', draws, 1)
  const observed = measure(labelsOf(groups))
  const drawn = Array.from({ length: draws }, () => measure(labelsOf(groups, random)))
  const scales = observed.map((value, k) => {
    const known = [value, ...drawn.map(values => values[k]!)].filter(v => v !== null)
    const mean = known.reduce((sum, v) => sum + v, 0) / known.length
    const variance = known.reduce((sum, v) => sum + (v - mean) ** 2, 0) / known.length
    return { mean, deviation: Math.sqrt(variance) }
  })
  // What cannot be told apart from its mean by rounding is at its mean.
  const standard = (value: number | null, k: number) => {
    const { mean, deviation } = scales[k]!
    return value === null || deviation <= 1e-12 * Math.abs(mean) ? 0 : (value - mean) / deviation
  }
  const largest = drawn.map(values =>
    observed.reduce<number>((most, at, k) => (at === null ? most : Math.max(most, standard(values[k]!, k))), -Infinity),
  )
  return observed.map((value, k) => {
    if (value === null) return { value, expected: null, p: null, adjusted: null }
    const own = standard(value, k)
    const reached = drawn.filter(values => standard(values[k]!, k) >= own - 1e-9).length
    return {
      value,
      expected: scales[k]!.mean,
      p: (1 + reached) / (1 + draws),
      adjusted: (1 + largest.filter(most => most >= own - 1e-9).length) / (1 + draws),
    }
  })
}

/** The labels as they are, or a labelling at random. */
function labelsOf({ a, b }: Groups, random?: Random): Labels {
  const labels = new Uint8Array(a.length + b.length)
  labels.fill(1, 0, a.length)
  if (!random) return labels
  const halves = new Map(b.map((name, i) => [name, a.length + i]))
  const single: number[] = []
  const paired = new Set<number>()
  a.forEach((name, i) => {
    const half = halves.get(name)
    if (half === undefined) single.push(i)
    else {
      paired.add(half)
      if (random.uniform() < 0.5) {
        labels[i] = 0
        labels[half] = 1
      }
    }
  })
  for (let i = a.length; i < labels.length; i++) if (!paired.has(i)) single.push(i)
  const dealt = Uint32Array.from(single)
  random.shuffle(dealt)
  const own = single.map(i => labels[i]!)
  dealt.forEach((i, place) => {
    labels[i] = own[place]!
  })
  return labels
}
