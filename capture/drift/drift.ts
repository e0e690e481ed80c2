/**
 * Whether the activations of two captures are of one distribution, by site and stratum (`measures.ts`). Documents are
 * relabelled at random, in all cells at once, and each measure is held against the largest of the whole family
 * (`statistics/drift/relabel.ts`). Where both captures have a document, its two halves are exchanged: so two samples of the
 * same text differ by nothing but what was drawn, and another model on the same text is told by small differences.
 */
import { UserError } from '../../core/errors.ts'
import type { Progress } from '../../core/progress.ts'
import { Random } from '../../core/random.ts'
import { documentMeans, documentsOf, windowDocuments } from '../../datasets/shards/by-document.ts'
import type { Capture, CaptureManifest } from '../../datasets/shards/index.ts'
import { relabel } from '../../statistics/drift/relabel.ts'
import { stabilityIndex } from '../../statistics/drift/stability-index.ts'
import { CellMeasures, testedMeasures } from './measures.ts'

export interface CaptureDriftOptions {
  /** Documents of each capture in a cell, at most. */
  readonly documents: number
  readonly draws: number
  readonly seed: number
  readonly progress: Progress
}

/** A measure of a cell and what relabelling made of it. */
export interface DriftMeasure {
  readonly name: string
  readonly value: number | null
  readonly expected: number | null
  readonly p: number | null
  readonly adjusted: number | null
}

export interface DriftedCell {
  readonly site: string
  readonly stratum: Readonly<Record<string, string>> | null
  readonly documents: readonly [number, number]
  /** Mean norm of the documents of each. */
  readonly means: readonly [number | null, number | null]
  readonly measures: readonly DriftMeasure[]
}

export interface CaptureDrift {
  readonly cells: readonly DriftedCell[]
  readonly composition: number | null
  readonly notes: readonly string[]
}

/** Labellings that Fréchet's distance is averaged over. */
const frechetDraws = 20
/** Documents of a group that Fréchet's distance looks at, at most: its time grows with the cube. */
const frechetDocuments = 64

/** Compares the sites and strata that both captures have. Throws a `UserError` where they share no site of one width. */
export async function captureDrift(
  a: Capture,
  b: Capture,
  { documents: most, draws, seed, progress }: CaptureDriftOptions,
): Promise<CaptureDrift> {
  const sites = a.sites.filter(({ name, width }) => b.sites.some(other => other.name === name && other.width === width))
  if (sites.length === 0)
    throw new UserError(
      `The captures ${a.directory} and ${b.directory} have no site in common: ${sitesOf(a)}; and ${sitesOf(b)}.`,
      { fix: 'Compare captures of the same sites.' },
    )
  const strata = sharedStrata(a.manifest, b.manifest)
  const sides = await Promise.all(
    [a, b].map(async (capture, side) => {
      const columns = await capture.columns()
      const sets = [null, ...strata.shared.map(stratum => new Set([stratum.indices[side]!]))]
      return { capture, columns, chosen: await documentsOf(columns, await windowDocuments(capture), sets, most) }
    }),
  )
  const named = sides.map(({ chosen }) => [...new Set(chosen.flatMap(own => own.map(({ document }) => document)))])
  const groups = { a: named[0]!, b: named[1]! }
  const placeOf = named.map(
    (names, side) => new Map(names.map((name, i) => [name, (side === 0 ? 0 : named[0]!.length) + i])),
  )

  progress.start('Comparing', sites.length * (strata.shared.length + 1), 'cells')
  const cells: {
    site: string
    stratum: Readonly<Record<string, string>> | null
    norms: number[][]
    measures: CellMeasures | undefined
    places: number[]
  }[] = []
  for (const { name } of sites)
    for (const i of Array(strata.shared.length + 1).keys()) {
      const means = await Promise.all(
        sides.map(({ capture, columns, chosen }) => documentMeans(capture, name, columns.weight, chosen[i]!)),
      )
      const all = means.flat()
      cells.push({
        site: name,
        stratum: i === 0 ? null : strata.shared[i - 1]!.values,
        norms: means.map(own => own.map(({ norm }) => norm)),
        measures: all.length > 0 ? new CellMeasures(all) : undefined,
        places: means.flatMap((own, side) => own.map(({ document }) => placeOf[side]!.get(document)!)),
      })
      progress.update(cells.length)
    }
  progress.finish()
  const restricted = (labels: Uint8Array, places: readonly number[]) => Uint8Array.from(places, place => labels[place]!)
  const none = { psi: null, ks: null, mmd: null, cosine: null }
  const measured = relabel(
    groups,
    labels =>
      cells.flatMap(({ measures, places }) => {
        const found = measures?.measure(restricted(labels, places)) ?? none
        return testedMeasures.map(name => found[name])
      }),
    new Random(seed, 'drift'),
    draws,
  )
  return {
    cells: cells.map(({ site, stratum, norms, measures, places }, c) => ({
      site,
      stratum,
      documents: [norms[0]!.length, norms[1]!.length],
      means: [meanOf(norms[0]!), meanOf(norms[1]!)],
      measures: [
        ...testedMeasures.map((name, k) => ({ name, ...measured[c * testedMeasures.length + k]! })),
        frechetOf(measures, norms, places, groups, new Random(seed, 'frechet', c)),
      ],
    })),
    composition: strata.composition,
    notes: [...strata.notes, ...differences(a.manifest, b.manifest)],
  }
}

const sitesOf = ({ sites }: Capture) => sites.map(({ name, width }) => `${name} (${width})`).join(', ')
const meanOf = (values: readonly number[]) =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length

/** Fréchet's distance of the first documents of each group, and its mean over a few labellings. */
function frechetOf(
  measures: CellMeasures | undefined,
  norms: readonly (readonly number[])[],
  places: readonly number[],
  groups: { a: readonly string[]; b: readonly string[] },
  random: Random,
): DriftMeasure {
  const nothing = { name: 'frechet', value: null, expected: null, p: null, adjusted: null }
  if (!measures) return nothing
  const [first, second] = norms.map(({ length }) => length) as [number, number]
  const kept = places.map((_, i) => (i < first ? i < frechetDocuments : i - first < frechetDocuments))
  // What is left out counts for neither group.
  const labelled = (labels: Uint8Array) => Uint8Array.from(places, (place, i) => (kept[i] ? labels[place]! : 2))
  if (Math.min(first, second) === 0) return nothing
  const [found] = relabel(groups, labels => [measures.frechet(labelled(labels))], random, frechetDraws)
  return { name: 'frechet', value: found!.value, expected: found!.expected, p: null, adjusted: null }
}

/** Strata with the same values in both, and what they say of the populations. */
function sharedStrata(a: CaptureManifest, b: CaptureManifest) {
  const key = (values: Readonly<Record<string, string>>) => JSON.stringify(Object.entries(values).sort())
  const others = new Map(b.sampling.strata.map(stratum => [key(stratum.values), stratum]))
  const pairs = a.sampling.strata.flatMap(stratum => {
    const other = others.get(key(stratum.values))
    return other ? [{ stratum, other }] : []
  })
  const lost = a.sampling.strata.length - pairs.length
  const gained = b.sampling.strata.length - pairs.length
  const only = (count: number, which: string) =>
    count > 0 ? [`${count} strata are in the ${which} capture alone.`] : []
  const shares = (of: (pair: (typeof pairs)[number]) => number) => {
    const total = pairs.reduce((sum, pair) => sum + of(pair), 0)
    return pairs.map(pair => of(pair) / total)
  }
  return {
    // A single stratum without fields is all tokens, which are compared anyway.
    shared: pairs
      .filter(({ stratum }) => Object.keys(stratum.values).length > 0)
      .map(({ stratum, other }) => ({ values: stratum.values, indices: [stratum.index, other.index] })),
    composition:
      pairs.length > 1
        ? Math.max(
            0,
            stabilityIndex(
              shares(({ stratum }) => stratum.population),
              shares(({ other }) => other.population),
            ),
          )
        : null,
    notes: [...only(lost, 'first'), ...only(gained, 'second')],
  }
}

/** What differs between the captures besides their rows. */
function differences(a: CaptureManifest, b: CaptureManifest): string[] {
  const facts = [
    ['models', a.model.hash, b.model.hash],
    ['texts', a.dataset.hash, b.dataset.hash],
    ['tokenizers', a.tokenizer.hash, b.tokenizer.hash],
    ['allocations', a.sampling.allocation, b.sampling.allocation],
    ['seeds', String(a.seed), String(b.seed)],
    ['number formats', a.dtype, b.dtype],
  ] as const
  return facts.flatMap(([what, first, second]) => (first === second ? [] : [`Their ${what} are different.`]))
}
