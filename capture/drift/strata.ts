/** The strata of two captures: which both have, and how far their populations are apart. */
import { counted } from '../../core/text.ts'
import { sampledAlike } from '../../datasets/shards/common-rates.ts'
import type { CaptureManifest } from '../../datasets/shards/index.ts'
import { stabilityIndex } from '../../statistics/drift/stability-index.ts'

type Values = Readonly<Record<string, string>>

/** Strata that a note names. */
const mostNamed = 3

/** Strata with the same values in both, and what they say of the populations. */
export function sharedStrata(a: CaptureManifest, b: CaptureManifest) {
  const key = (values: Values) => JSON.stringify(Object.entries(values).sort())
  const others = new Map(b.sampling.strata.map(stratum => [key(stratum.values), stratum]))
  const pairs = a.sampling.strata.flatMap(stratum => {
    const other = others.get(key(stratum.values))
    return other ? [{ stratum, other }] : []
  })
  const lost = a.sampling.strata.filter(({ values }) => !others.has(key(values)))
  const own = new Set(pairs.map(({ other }) => other))
  const gained = b.sampling.strata.filter(stratum => !own.has(stratum))
  // What one of them lacks has no tokens there. Strata of other fields say nothing of each other.
  const alike = sampledAlike(a, b)
  const populations = [
    ...pairs.map(({ stratum, other }) => [stratum.population, other.population] as const),
    ...lost.map(({ population }) => [population, 0] as const),
    ...gained.map(({ population }) => [0, population] as const),
  ]
  const shares = (side: 0 | 1) => {
    const total = populations.reduce((sum, counts) => sum + counts[side], 0)
    return populations.map(counts => counts[side] / total)
  }
  return {
    // A single stratum without fields is all tokens, which are compared anyway.
    shared: pairs
      .filter(({ stratum }) => Object.keys(stratum.values).length > 0)
      .map(({ stratum, other }) => ({ values: stratum.values, indices: [stratum.index, other.index] })),
    composition: alike && populations.length > 1 ? Math.max(0, stabilityIndex(shares(0), shares(1))) : null,
    notes: alike
      ? [...aloneNote(lost, 'first'), ...aloneNote(gained, 'second')]
      : ['They are sampled by other fields or bands, so that their populations are not compared.'],
  }
}

/** The strata that one capture has alone, by name. */
function aloneNote(strata: readonly { readonly values: Values }[], which: string): string[] {
  if (strata.length === 0) return []
  const names = strata.slice(0, mostNamed).map(({ values }) =>
    Object.entries(values)
      .map(([field, value]) => `${field} ${value}`)
      .join(', '),
  )
  const more = strata.length > mostNamed ? [`${strata.length - mostNamed} more`] : []
  return [
    `${counted(strata.length, 'stratum is', 'strata are')} in the ${which} capture alone: ${[...names, ...more].join('; ')}.`,
  ]
}
