/** One pass over the population's tokens and the rows: counts by field value, by token id and by document. */
import { paced } from '../../core/pace.ts'
import { Passes } from '../../core/passes.ts'
import type { TokenDataset } from '../../datasets/document.ts'
import { fieldsOf } from '../../datasets/fields.ts'
import type { CaptureConfig } from '../config.ts'
import type { Sampling } from '../manifest.ts'
import type { SelectedTokens } from '../sampling.ts'
import type { ValueCounts } from './draw.ts'
import { FieldValues } from './field-values.ts'

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
  passes = new Passes(),
): Promise<Counted> {
  const { length } = strata.windows
  // By id, with holes.
  const known: TokenCounts[] = []
  let population = 0
  for await (const { window, positions } of paced(strata.windows, passes.over(length, 'windows', 'Counting tokens'))) {
    for (let j = 0; j < positions.length; j++) {
      const id = window.tokens[positions[j]!]!
      const found = known[id]
      if (found) found.population++
      else known[id] = { population: 1, rows: 0 }
    }
    population += positions.length
  }
  const names = await fieldsOf(dataset, passes.over(dataset.documents.length, 'documents', 'Reading fields'))
  const values = new FieldValues(names, config, id => known[id]!.population / population)
  const size = dataset.documents.length
  const documents: DocumentCounts = {
    population: new Uint32Array(size),
    rows: new Uint32Array(size),
    expected: new Float64Array(size),
  }
  // A token of a stratum is taken at this rate; 1 / rate of it has these second and third central moments.
  const moments = probabilities.map(expected => {
    const variance = (1 - expected) / expected
    return { expected, variance, third: (variance * (1 - 2 * expected)) / expected }
  })
  for await (const eligible of paced(strata.windows, passes.over(length, 'windows', 'Counting values'))) {
    const { window, positions, strata: own } = eligible
    eachRun(eligible, values.positionBand, (from, to) => {
      const run = { expected: 0, variance: 0, third: 0 }
      for (let j = from; j < to; j++) {
        const token = moments[own[j]!]!
        run.expected += token.expected
        run.variance += token.variance
        run.third += token.third
        addPopulation(values.ofToken(window.tokens[positions[j]!]!), 1, token)
      }
      const place = window.documents[positions[from]!]!
      documents.population[place]! += to - from
      documents.expected[place]! += run.expected
      for (const found of values.ofRun(dataset, place, positions[from]!)) addPopulation(found, to - from, run)
    })
  }
  for await (const taken of selected.paced(passes.over(length, 'windows', 'Counting rows'))) {
    const { window, positions, strata: own } = taken
    eachRun(taken, values.positionBand, (from, to) => {
      let weighted = 0
      for (let j = from; j < to; j++) {
        const [id, weight] = [window.tokens[positions[j]!]!, 1 / probabilities[own[j]!]!]
        weighted += weight
        known[id]!.rows++
        addRows(values.ofToken(id), 1, weight)
      }
      const place = window.documents[positions[from]!]!
      documents.rows[place]! += to - from
      for (const found of values.ofRun(dataset, place, positions[from]!)) addRows(found, to - from, weighted)
    })
  }
  const tokens = new Map<number, TokenCounts>()
  known.forEach((counts, id) => {
    tokens.set(id, counts)
  })
  return { fields: values.sorted(), tokens, documents }
}

/** Calls for each run of a window's tokens that are of one document and of one band of positions, from one index to another. */
function eachRun(
  { window: { documents }, positions }: SelectedTokens,
  bandOf: (position: number) => number,
  use: (from: number, to: number) => void,
): void {
  for (let from = 0, to = 0; from < positions.length; from = to) {
    const [place, band] = [documents[positions[from]!], bandOf(positions[from]!)]
    for (to = from + 1; to < positions.length; to++)
      if (documents[positions[to]!] !== place || bandOf(positions[to]!) !== band) break
    use(from, to)
  }
}

type Chances = Readonly<Pick<ValueCounts, 'expected' | 'variance' | 'third'>>

function addPopulation(counts: ValueCounts, tokens: number, { expected, variance, third }: Chances): void {
  counts.population += tokens
  counts.expected += expected
  counts.variance += variance
  counts.third += third
}

function addRows(counts: ValueCounts, rows: number, weighted: number): void {
  counts.rows += rows
  counts.weighted += weighted
}
