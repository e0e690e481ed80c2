/** Counts by value of every field of the documents, of position and of frequency, found fast for tokens that stand together. */
import type { TokenDataset } from '../../datasets/document.ts'
import type { CaptureConfig } from '../config.ts'
import { bandsOf, frequencyLabel, noValue, positionLabel } from '../strata.ts'
import type { ValueCounts } from './draw.ts'

/** What is counted of each value of the documents' fields, of position and of frequency. */
export class FieldValues {
  readonly positionBand: (position: number) => number
  readonly #names: readonly string[]
  readonly #config: Pick<CaptureConfig, 'positionBands' | 'frequencyBands'>
  readonly #rarityOf: (id: number) => number
  readonly #fields: Map<string, Map<string, ValueCounts>>
  readonly #ofTokens: ValueCounts[] = []
  readonly #ofBands: ValueCounts[] = []
  /** Of a document's values, and behind them of a band of positions; one array, filled anew. */
  readonly #ofRun: ValueCounts[] = []
  #lastPlace: number | undefined

  /** `shareOf` gives a token id's share of the population. */
  constructor(
    names: readonly string[],
    config: Pick<CaptureConfig, 'positionBands' | 'frequencyBands'>,
    shareOf: (id: number) => number,
  ) {
    this.#names = names
    this.#config = config
    this.#fields = new Map([...names, 'position', 'frequency'].map(name => [name, new Map()]))
    this.positionBand = bandsOf(config.positionBands)
    const rarity = bandsOf(config.frequencyBands)
    this.#rarityOf = id => rarity(shareOf(id))
  }

  /** What is counted of the frequency band of a token id. */
  ofToken(id: number): ValueCounts {
    const known = this.#ofTokens[id]
    if (known) return known
    const label = frequencyLabel(this.#config.frequencyBands, this.#rarityOf(id))
    const found = this.#of('frequency', label)
    this.#ofTokens[id] = found
    return found
  }

  /** What is counted of a document's values and of the band of a position, until the next call. */
  ofRun(dataset: TokenDataset, place: number, position: number): readonly ValueCounts[] {
    if (this.#lastPlace !== place) {
      const { strata } = dataset.documents.at(place)!
      for (const [i, name] of this.#names.entries()) this.#ofRun[i] = this.#of(name, strata[name] ?? noValue)
      this.#lastPlace = place
    }
    const band = this.positionBand(position)
    this.#ofBands[band] ??= this.#of('position', positionLabel(this.#config.positionBands, band))
    this.#ofRun[this.#names.length] = this.#ofBands[band]
    return this.#ofRun
  }

  /** All of them, by field, in the order of the values. */
  sorted(): Map<string, readonly ValueCounts[]> {
    const inOrder = (values: Map<string, ValueCounts>) =>
      [...values.values()].sort((a, b) => (a.value < b.value ? -1 : 1))
    return new Map([...this.#fields].map(([field, values]) => [field, inOrder(values)]))
  }

  #of(field: string, value: string): ValueCounts {
    const known = this.#fields.get(field)!
    const found = known.get(value) ?? { value, population: 0, rows: 0, expected: 0, variance: 0, third: 0, weighted: 0 }
    known.set(value, found)
    return found
  }
}
