/** The stratum of every token that may be sampled, and how many tokens each stratum has. No model is needed. */
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import type { TokenDataset, TokenWindow } from '../datasets/document.ts'
import type { CaptureConfig } from './config.ts'

/** Strata of a window's tokens: `strata[i]` is that of position `positions[i]`. */
export interface EligibleTokens {
  readonly window: TokenWindow
  readonly positions: Uint16Array
  readonly strata: Uint16Array
}

export interface Strata {
  /** Value of each field, by stratum. Strata are numbered in the order of their values. */
  readonly values: readonly Readonly<Record<string, string>>[]
  /** Tokens of each stratum. */
  readonly population: readonly number[]
  readonly windows: readonly EligibleTokens[]
}

/** What stands for a field that a document does not have. */
export const noValue = '(none)'
const mostStrata = 65_535

/** Whether a window's token at a position belongs to the population. */
type IsTaken = (tokens: Int32Array, position: number) => boolean

/** The ids that a capture leaves out, ascending: those the config lists, or the dataset's special tokens. */
export function excludedTokens(dataset: TokenDataset, { excludeTokens }: CaptureConfig): number[] {
  const ids = excludeTokens === 'special' ? (dataset.specialTokens ?? []) : excludeTokens
  return [...new Set(ids)].sort((a, b) => a - b)
}

function takenBy(dataset: TokenDataset, config: CaptureConfig): IsTaken {
  const positions = new Set(config.excludePositions)
  const ids = new Set(excludedTokens(dataset, config))
  return (tokens, position) => !positions.has(position) && !ids.has(tokens[position]!)
}

/** Divides the tokens of the training windows, without the excluded positions and ids, into strata. */
export function stratify(dataset: TokenDataset, config: CaptureConfig): Strata {
  const windows = dataset.windows.filter(({ split }) => split === 'train')
  const fields = config.strata
  checkFields(dataset, fields)
  const isTaken = takenBy(dataset, config)
  const positionsOf = ({ tokens }: TokenWindow) =>
    Uint16Array.from([...tokens.keys()].filter(position => isTaken(tokens, position)))

  // Each field is a small number per token; a stratum is their mixed-radix number, until strata are renumbered below.
  const documentFields = fields.filter(field => field !== 'position' && field !== 'frequency')
  const byDocument = documentGroups(dataset, documentFields)
  const positionBand = bandsOf(config.positionBands)
  const frequencyBand = fields.includes('frequency')
    ? frequencyBands(windows, isTaken, config.frequencyBands)
    : undefined
  const bands = { position: config.positionBands.length + 1, frequency: config.frequencyBands.length + 1 }
  const counts = new Map<number, number>()
  const coded = windows.map(window => {
    const positions = positionsOf(window)
    const codes = Float64Array.from(positions, position => {
      const group = byDocument.groupOf[window.documents[position]!]!
      const place = fields.includes('position') ? positionBand(position) : 0
      const rarity = frequencyBand ? frequencyBand(window.tokens[position]!) : 0
      return (group * bands.position + place) * bands.frequency + rarity
    })
    for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1)
    return { window, positions, codes }
  })

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
    windows: coded.map(({ window, positions, codes }) => ({
      window,
      positions,
      strata: Uint16Array.from(codes, code => indexOf.get(code)!),
    })),
  }
}

function checkFields(dataset: TokenDataset, fields: readonly string[]): void {
  const known = new Set(dataset.documents.flatMap(({ strata }) => Object.keys(strata)))
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
function documentGroups(dataset: TokenDataset, fields: readonly string[]) {
  const keys = dataset.documents.map(({ strata }) => JSON.stringify(fields.map(field => strata[field] ?? noValue)))
  const sorted = [...new Set(keys)].sort()
  const numbers = new Map(sorted.map((key, i) => [key, i]))
  return { groups: sorted.map(key => JSON.parse(key) as string[]), groupOf: keys.map(key => numbers.get(key)!) }
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
function frequencyBands(windows: readonly TokenWindow[], isTaken: IsTaken, edges: readonly number[]) {
  const counts = new Map<number, number>()
  let total = 0
  for (const { tokens } of windows) {
    tokens.forEach((token, position) => {
      if (!isTaken(tokens, position)) return
      counts.set(token, (counts.get(token) ?? 0) + 1)
      total++
    })
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
