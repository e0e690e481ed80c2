/** The stratum of every token that may be sampled, and how many tokens each stratum has. No model is needed. */
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { paced } from '../core/pace.ts'
import { Passes, type PassStep } from '../core/passes.ts'
import { ReadSequence, type Sequence } from '../core/sequence.ts'
import type { TokenDataset, TokenWindow } from '../datasets/document.ts'
import { fieldsOf } from '../datasets/fields.ts'
import type { CaptureConfig } from './config.ts'

/** Strata of a window's tokens: `strata[i]` is that of position `positions[i]`. */
export interface EligibleTokens {
  /** The window's place in the dataset. */
  readonly place: number
  readonly window: TokenWindow
  readonly positions: Uint16Array
  readonly strata: Uint16Array
}

export interface Strata {
  /** Value of each field, by stratum. Strata are numbered in the order of their values. */
  readonly values: readonly Readonly<Record<string, string>>[]
  /** Tokens of each stratum. */
  readonly population: readonly number[]
  /** Each window of the dataset with its tokens that may be taken, none where it is held out; worked out when it is read. */
  readonly windows: Sequence<EligibleTokens>
  /** The window at a place of the dataset, without that work. */
  windowAt(place: number): TokenWindow
}

/** What stands for a field that a document does not have. */
export const noValue = '(none)'
const mostStrata = 65_535

/** The ids that a capture leaves out, ascending: those the config lists, or the dataset's special tokens. */
export function excludedTokens(dataset: TokenDataset, { excludeTokens }: CaptureConfig): number[] {
  const ids = excludeTokens === 'special' ? (dataset.specialTokens ?? []) : excludeTokens
  return [...new Set(ids)].sort((a, b) => a - b)
}

/** The positions of a window whose tokens belong to the population, ascending; none where it is held out. */
function populationOf(dataset: TokenDataset, config: CaptureConfig): (window: TokenWindow) => Uint16Array {
  const positions = flagsOf(config.excludePositions)
  const ids = flagsOf(excludedTokens(dataset, config))
  return ({ split, tokens }) => {
    if (split !== 'train') return new Uint16Array()
    const found = new Uint16Array(tokens.length)
    let count = 0
    for (let i = 0; i < tokens.length; i++) if (!positions[i] && !ids[tokens[i]!]) found[count++] = i
    return found.subarray(0, count)
  }
}

/** 1 at these numbers; nothing beyond the largest. */
function flagsOf(numbers: readonly number[]): Uint8Array {
  const flags = new Uint8Array(numbers.reduce((most, number) => Math.max(most, number), -1) + 1)
  for (const number of numbers) flags[number] = 1
  return flags
}

/**
 * Divides the tokens of the training windows, without the excluded positions and ids, into strata. In memory stay a number a
 * document, a stratum and an id. `passes` tells of them.
 */
export async function stratify(dataset: TokenDataset, config: CaptureConfig, passes = new Passes()): Promise<Strata> {
  const fields = config.strata
  const { length } = dataset.windows
  await checkFields(dataset, fields, passes)
  const positionsOf = populationOf(dataset, config)

  // Each field is a small number per token; a stratum is their mixed-radix number, until strata are renumbered below.
  const documentFields = fields.filter(field => field !== 'position' && field !== 'frequency')
  const byDocument = await documentGroups(
    dataset,
    documentFields,
    passes.over(dataset.documents.length, 'documents', 'Grouping'),
  )
  const positionBand = bandsOf(config.positionBands)
  const byPosition = fields.includes('position')
  const frequencyBand = fields.includes('frequency')
    ? await frequencyBands(
        dataset,
        positionsOf,
        config.frequencyBands,
        passes.over(length, 'windows', 'Counting frequencies'),
      )
    : undefined
  const bands = { position: config.positionBands.length + 1, frequency: config.frequencyBands.length + 1 }
  const codeAt = ({ documents, tokens }: TokenWindow, position: number) => {
    const group = byDocument.groupOf[documents[position]!]!
    const place = byPosition ? positionBand(position) : 0
    const rarity = frequencyBand ? frequencyBand(tokens[position]!) : 0
    return (group * bands.position + place) * bands.frequency + rarity
  }
  const counts = new Map<number, number>()
  for await (const window of paced(dataset.windows, passes.over(length, 'windows', 'Counting strata')))
    for (const position of positionsOf(window)) {
      const code = codeAt(window, position)
      counts.set(code, (counts.get(code) ?? 0) + 1)
    }

  const order = [...counts.keys()].sort((a, b) => a - b)
  if (order.length > mostStrata)
    throw new UserError(
      `strata ${fields.join(' × ')} gives ${order.length} strata, but at most ${mostStrata} are held.`,
      {
        fix: 'Stratify by fewer fields, or by fields with fewer values.',
      },
    )
  const indexOf = new Map(order.map((code, i) => [code, i]))
  const describe = (code: number) => {
    const rarity = code % bands.frequency
    const place = Math.floor(code / bands.frequency) % bands.position
    const group = byDocument.groups[Math.floor(code / bands.frequency / bands.position)]!
    const labelOf = (field: string) => {
      if (field === 'position') return positionLabel(config.positionBands, place)
      if (field === 'frequency') return frequencyLabel(config.frequencyBands, rarity)
      return group[documentFields.indexOf(field)]!
    }
    return Object.fromEntries(fields.map(field => [field, labelOf(field)]))
  }
  return {
    values: order.map(describe),
    population: order.map(code => counts.get(code)!),
    windows: new ReadSequence(dataset.windows.length, place => {
      const window = dataset.windows.at(place)!
      const positions = positionsOf(window)
      const strata = new Uint16Array(positions.length)
      for (let i = 0; i < strata.length; i++) strata[i] = indexOf.get(codeAt(window, positions[i]!))!
      return { place, window, positions, strata }
    }),
    windowAt: place => dataset.windows.at(place)!,
  }
}

async function checkFields(dataset: TokenDataset, fields: readonly string[], passes: Passes): Promise<void> {
  const known = new Set(await fieldsOf(dataset, passes.over(dataset.documents.length, 'documents', 'Reading fields')))
  for (const [i, field] of fields.entries()) {
    if (fields.indexOf(field) < i) throw new UserError(`strata names ${field} twice.`, { fix: 'Name it once.' })
    if (field === 'position' || field === 'frequency' || known.has(field)) continue
    const [best] = nearest(field, [...known, 'position', 'frequency'], 1)
    throw new UserError(`strata names ${field}, but no document has that field.`, {
      fix: `Did you mean ${best}? Fields of a JSONL file must be in dataset.strataFields.`,
    })
  }
}

/** Documents grouped by their values of the fields; groups in the order of the values. */
async function documentGroups({ documents }: TokenDataset, fields: readonly string[], stop: PassStep) {
  const numbers = new Map<string, number>()
  const met = new Uint32Array(documents.length)
  for await (const [place, { strata }] of paced(documents.entries(), stop)) {
    const key = JSON.stringify(fields.map(field => strata[field] ?? noValue))
    const number = numbers.get(key) ?? numbers.size
    numbers.set(key, number)
    met[place] = number
  }
  const sorted = [...numbers.keys()].sort()
  const places = new Uint32Array(sorted.length)
  for (const [place, key] of sorted.entries()) places[numbers.get(key)!] = place
  return { groups: sorted.map(key => JSON.parse(key) as string[]), groupOf: met.map(number => places[number]!) }
}

/** The band of a value: how many edges are not above it. */
export function bandsOf(edges: readonly number[]): (value: number) => number {
  return value => {
    let band = 0
    while (band < edges.length && value >= edges[band]!) band++
    return band
  }
}

/** The name of a position's band, for bands that begin at these edges. */
export function positionBandOf(edges: readonly number[]): (position: number) => string {
  const band = bandsOf(edges)
  return position => positionLabel(edges, band(position))
}

/** The frequency band of a token id, by its share of all tokens that may be sampled. */
async function frequencyBands(
  { windows }: TokenDataset,
  positionsOf: (window: TokenWindow) => Uint16Array,
  edges: readonly number[],
  stop: PassStep,
) {
  const counts = new Map<number, number>()
  let total = 0
  for await (const window of paced(windows, stop))
    for (const position of positionsOf(window)) {
      const token = window.tokens[position]!
      counts.set(token, (counts.get(token) ?? 0) + 1)
      total++
    }
  const band = bandsOf(edges)
  const bands = new Map([...counts].map(([token, count]) => [token, band(count / total)]))
  return (token: number) => bands.get(token)!
}

/** The name of a position band, e.g. `8-31`. */
export function positionLabel(edges: readonly number[], band: number): string {
  const first = band === 0 ? 0 : edges[band - 1]!
  if (band === edges.length) return `${first}+`
  const last = edges[band]! - 1
  return first === last ? String(first) : `${first}-${last}`
}

/** The name of a frequency band, e.g. `<0.0001`. */
export function frequencyLabel(edges: readonly number[], band: number): string {
  if (edges.length === 0) return 'all'
  if (band === 0) return `<${edges[0]}`
  return band === edges.length ? `>=${edges[band - 1]}` : `${edges[band - 1]}-${edges[band]}`
}
