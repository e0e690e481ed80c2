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
import { commonRates, keptRows, thinnedNotes } from '../../datasets/shards/common-rates.ts'
import type { Capture } from '../../datasets/shards/index.ts'
import { relabel } from '../../statistics/drift/relabel.ts'
import { CellMeasures, testedMeasures } from './measures.ts'
import { differences } from './notes.ts'
import { sharedStrata } from './strata.ts'

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
  const rates = commonRates(a.manifest, b.manifest)
  const sides = await Promise.all(
    [a, b].map(async (capture, side) => {
      const columns = await capture.columns()
      const sets = [null, ...strata.shared.map(stratum => new Set([stratum.indices[side]!]))]
      const kept = keptRows(columns, rates[side]!)
      const chosen = await documentsOf(columns, await windowDocuments(capture), sets, { most, kept })
      return { capture, weightOf: (row: number) => 1 / rates[side]!.common[columns.stratum[row]!]!, chosen }
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
        sides.map(({ capture, weightOf, chosen }) => documentMeans(capture, name, weightOf, chosen[i]!)),
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
    notes: [...strata.notes, ...differences(a.manifest, b.manifest), ...thinnedNotes(a.manifest, b.manifest)],
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
