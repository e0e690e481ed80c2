/** One pass over the population's tokens and the rows: counts by field value, by token id and by document. */
import { breathe } from '../../core/stage.ts'
import type { TokenDataset } from '../../datasets/document.ts'
import type { CaptureConfig } from '../config.ts'
import type { SelectedTokens } from '../sampling.ts'
import { bandsOf, frequencyLabel, noValue, positionLabel, type Strata } from '../strata.ts'
import type { ValueCounts } from './draw.ts'

/** What is counted of a token id. */
export interface TokenCounts {
  population: number
  rows: number
}

/** What is counted of a document. */
export interface DocumentCounts {
  population: number
  rows: number
  /** Rows that the draw should give. */
  expected: number
}

export interface Counted {
  /** Values of every field of the documents, then of position and frequency. */
  readonly fields: ReadonlyMap<string, readonly ValueCounts[]>
  readonly tokens: ReadonlyMap<number, TokenCounts>
  /** By place in the dataset; documents without a token in the population are absent. */
  readonly documents: ReadonlyMap<number, DocumentCounts>
}

/** Counts what the audit goes by; in memory stays a record a value, an id and a document. */
export async function countTokens(
  dataset: TokenDataset,
  config: Pick<CaptureConfig, 'positionBands' | 'frequencyBands'>,
  {
    strata,
    selected,
    probabilities,
  }: { strata: Strata; selected: readonly SelectedTokens[]; probabilities: readonly number[] },
): Promise<Counted> {
  const tokens = new Map<number, TokenCounts>()
  let population = 0
  for (const { window, positions } of strata.windows)
    for (const position of positions) {
      const id = window.tokens[position]!
      const known = tokens.get(id)
      if (known) known.population++
      else tokens.set(id, { population: 1, rows: 0 })
      population++
    }
  const names = [...new Set(dataset.documents.flatMap(({ strata }) => Object.keys(strata)))].sort()
  const fields = new Map<string, Map<string, ValueCounts>>(
    [...names, 'position', 'frequency'].map(name => [name, new Map()]),
  )
  const documents = new Map<number, DocumentCounts>()
  const bandOf = bandsOf(config.positionBands)
  const rarityOf = bandsOf(config.frequencyBands)

  /** The records of a token: of its values, and of its document. */
  const recordsOf = ({ window }: SelectedTokens, position: number) => {
    const place = window.documents[position]!
    const own = dataset.documents[place]!.strata
    const share = tokens.get(window.tokens[position]!)!.population / population
    const values = names.map(name => own[name] ?? noValue)
    values.push(positionLabel(config.positionBands, bandOf(position)))
    values.push(frequencyLabel(config.frequencyBands, rarityOf(share)))
    let document = documents.get(place)
    if (!document) {
      document = { population: 0, rows: 0, expected: 0 }
      documents.set(place, document)
    }
    let next = 0
    const counts = [...fields.values()].map(known => {
      const value = values[next++]!
      let found = known.get(value)
      if (!found) {
        found = { value, population: 0, rows: 0, expected: 0, variance: 0, weighted: 0 }
        known.set(value, found)
      }
      return found
    })
    return { document, counts }
  }

  for (const [i, eligible] of strata.windows.entries()) {
    if (i % 256 === 0) await breathe()
    eligible.positions.forEach((position, j) => {
      const rate = probabilities[eligible.strata[j]!]!
      const { document, counts } = recordsOf(eligible, position)
      document.population++
      document.expected += rate
      for (const found of counts) {
        found.population++
        found.expected += rate
        found.variance += (1 - rate) / rate
      }
    })
  }
  for (const [i, taken] of selected.entries()) {
    if (i % 256 === 0) await breathe()
    taken.positions.forEach((position, j) => {
      const rate = probabilities[taken.strata[j]!]!
      const { document, counts } = recordsOf(taken, position)
      document.rows++
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
