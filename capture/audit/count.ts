/** One pass over the population's tokens and the rows: counts by field value, by token id and by document. */
import { paced } from '../../core/pace.ts'
import type { TokenDataset } from '../../datasets/document.ts'
import type { CaptureConfig } from '../config.ts'
import type { Sampling } from '../manifest.ts'
import type { SelectedTokens } from '../sampling.ts'
import { bandsOf, fieldsOf, frequencyLabel, noValue, positionLabel } from '../strata.ts'
import type { ValueCounts } from './draw.ts'

/** What is counted of a token id. */
export interface TokenCounts {
  population: number
  rows: number
}

/** What is counted of each document, by its place in the dataset: 16 bytes a document. */
export interface DocumentCounts {
  /** Tokens that could have been taken. */
  readonly population: Uint32Array
  readonly rows: Uint32Array
  /** Rows that the draw should give. */
  readonly expected: Float64Array
}

export interface Counted {
  /** Values of every field of the documents, then of position and frequency. */
  readonly fields: ReadonlyMap<string, readonly ValueCounts[]>
  readonly tokens: ReadonlyMap<number, TokenCounts>
  readonly documents: DocumentCounts
}

/** Counts what the audit goes by; in memory stays a record a value and an id, and numbers for each document. */
export async function countTokens(
  dataset: TokenDataset,
  config: Pick<CaptureConfig, 'positionBands' | 'frequencyBands'>,
  { strata, selected, probabilities }: Pick<Sampling, 'strata' | 'selected' | 'probabilities'>,
  stop?: () => void,
): Promise<Counted> {
  const tokens = new Map<number, TokenCounts>()
  let population = 0
  for await (const { window, positions } of paced(strata.windows, stop))
    for (const position of positions) {
      const id = window.tokens[position]!
      const known = tokens.get(id)
      if (known) known.population++
      else tokens.set(id, { population: 1, rows: 0 })
      population++
    }
  const names = await fieldsOf(dataset, stop)
  const fields = new Map<string, Map<string, ValueCounts>>(
    [...names, 'position', 'frequency'].map(name => [name, new Map()]),
  )
  const countOf = (field: string, value: string): ValueCounts => {
    const known = fields.get(field)!
    const found = known.get(value) ?? { value, population: 0, rows: 0, expected: 0, variance: 0, weighted: 0 }
    known.set(value, found)
    return found
  }
  const size = dataset.documents.length
  const documents: DocumentCounts = {
    population: new Uint32Array(size),
    rows: new Uint32Array(size),
    expected: new Float64Array(size),
  }
  const bandOf = bandsOf(config.positionBands)
  const rarityOf = bandsOf(config.frequencyBands)
  // By token id and by band: every token asks.
  const frequencies: ValueCounts[] = []
  const frequencyOf = (id: number) => {
    const rarity = () => rarityOf(tokens.get(id)!.population / population)
    frequencies[id] ??= countOf('frequency', frequencyLabel(config.frequencyBands, rarity()))
    return frequencies[id]
  }
  const positions: ValueCounts[] = []
  const positionOf = (band: number) => {
    positions[band] ??= countOf('position', positionLabel(config.positionBands, band))
    return positions[band]
  }
  // Tokens of a document stand together.
  let lastPlace: number | undefined
  /** What is counted of a token's values: those of its document, its position and its frequency; one array, filled anew. */
  const counts: ValueCounts[] = []
  const fillCounts = ({ window }: SelectedTokens, position: number) => {
    const place = window.documents[position]!
    if (lastPlace !== place) {
      const own = dataset.documents.at(place)!.strata
      for (const [i, name] of names.entries()) counts[i] = countOf(name, own[name] ?? noValue)
      lastPlace = place
    }
    counts[names.length] = positionOf(bandOf(position))
    counts[names.length + 1] = frequencyOf(window.tokens[position]!)
    return place
  }

  for await (const eligible of paced(strata.windows, stop)) {
    eligible.positions.forEach((position, j) => {
      const rate = probabilities[eligible.strata[j]!]!
      const place = fillCounts(eligible, position)
      documents.population[place]!++
      documents.expected[place]! += rate
      for (const found of counts) {
        found.population++
        found.expected += rate
        found.variance += (1 - rate) / rate
      }
    })
  }
  for await (const taken of selected.paced(stop)) {
    taken.positions.forEach((position, j) => {
      const rate = probabilities[taken.strata[j]!]!
      const place = fillCounts(taken, position)
      documents.rows[place]!++
      tokens.get(taken.window.tokens[position]!)!.rows++
      for (const found of counts) {
        found.rows++
        found.weighted += 1 / rate
      }
    })
  }
  const sorted = (values: Map<string, ValueCounts>) => [...values.values()].sort((a, b) => (a.value < b.value ? -1 : 1))
  return { fields: new Map([...fields].map(([name, values]) => [name, sorted(values)])), tokens, documents }
}
