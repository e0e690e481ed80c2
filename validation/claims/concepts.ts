/** Labels of tokens: which concepts each token of a set of windows carries, as `conceptMask` has it, for all at once. */
import type { DocumentFacts, TokenDataset, TokenWindow } from '../../datasets/document.ts'
import { unitOf } from '../../datasets/unit.ts'
import { firstPosition } from '../../latents/activations.ts'

/** Rows are tokens: every position of every window but the first, by window, then position. */
export interface ConceptLabels {
  readonly concepts: readonly string[]
  readonly windows: readonly TokenWindow[]
  /** First row of each window, and the number of rows at the end. */
  readonly rowStart: Uint32Array
  /** Concepts of row r: `indices[offsets[r] … offsets[r + 1]]`, places in `concepts`. */
  readonly offsets: Uint32Array
  readonly indices: Uint16Array
  /** For each document of the windows its windows' places, ascending; documents in the order of their first window. */
  readonly units: readonly (readonly number[])[]
  /** Rows that carry each concept, and documents in which one does. */
  readonly tokens: Float64Array
  readonly documents: Float64Array
}

/** Labels of the windows for the concepts named. */
export function labelWindows(
  dataset: TokenDataset,
  windows: readonly TokenWindow[],
  concepts: readonly string[],
): ConceptLabels {
  const place = new Map(concepts.map((concept, i) => [concept, i]))
  const conceptsOf = ({ concepts: named = [], strata }: DocumentFacts) =>
    [...named, ...Object.entries(strata).map(([field, value]) => `${field}=${value}`)].flatMap(
      concept => place.get(concept) ?? [],
    )
  const rowStart = new Uint32Array(windows.length + 1)
  windows.forEach(({ tokens }, w) => {
    rowStart[w + 1] = rowStart[w]! + Math.max(0, tokens.length - firstPosition)
  })
  const offsets = new Uint32Array(rowStart[windows.length]! + 1)
  const indices: number[] = []
  const tokens = new Float64Array(concepts.length)
  const documents = new Float64Array(concepts.length)
  const units = unitsOf(dataset, windows)
  const unitOfWindow = new Map(units.flatMap((places, unit) => places.map(place => [place, unit] as const)))
  const seenIn = units.map(() => new Set<number>())
  // The row that last took each concept: a row has a concept once.
  const lastRow = new Int32Array(concepts.length).fill(-1)
  let document = -1
  let facts: DocumentFacts | undefined
  let everywhere: readonly number[] = []
  let row = 0
  windows.forEach((window, w) => {
    const seen = seenIn[unitOfWindow.get(w)!]!
    const take = (concept: number) => {
      if (lastRow[concept] === row) return
      lastRow[concept] = row
      indices.push(concept)
      tokens[concept]!++
      seen.add(concept)
    }
    for (let position = firstPosition; position < window.tokens.length; position++) {
      if (window.documents[position] !== document) {
        document = window.documents[position]!
        facts = dataset.documents.at(document)!
        everywhere = conceptsOf(facts)
      }
      for (const concept of everywhere) take(concept)
      for (const name of facts?.tokenConcepts?.[window.offsets[position]!] ?? []) {
        const concept = place.get(name)
        if (concept !== undefined) take(concept)
      }
      offsets[++row] = indices.length
    }
  })
  for (const seen of seenIn) for (const concept of seen) documents[concept]!++
  return { concepts, windows, units, rowStart, offsets, indices: Uint16Array.from(indices), tokens, documents }
}

/** The places of the windows of each document. */
function unitsOf(dataset: TokenDataset, windows: readonly TokenWindow[]): number[][] {
  const units = new Map<string, number[]>()
  windows.forEach((window, w) => {
    const unit = unitOf(dataset, window)
    units.set(unit, [...(units.get(unit) ?? []), w])
  })
  return [...units.values()]
}

/** For each row whether it carries a concept. With `deal`, document u takes the labels of document `deal[u]`. */
export function conceptRows(labels: ConceptLabels, concept: number, deal?: ArrayLike<number>): Uint8Array {
  const { rowStart, windows } = labels
  const own = new Uint8Array(rowStart[windows.length]!)
  for (let row = 0; row < own.length; row++)
    for (let i = labels.offsets[row]!; i < labels.offsets[row + 1]!; i++)
      if (labels.indices[i] === concept) own[row] = 1
  return deal ? dealRows(labels, own, deal) : own
}

/** The rows of each document, in order. */
export function unitRows({ rowStart, units }: ConceptLabels): Uint32Array[] {
  return units.map(windows => {
    const rows = new Uint32Array(windows.reduce((sum, w) => sum + rowStart[w + 1]! - rowStart[w]!, 0))
    let next = 0
    for (const w of windows) for (let row = rowStart[w]!; row < rowStart[w + 1]!; row++) rows[next++] = row
    return rows
  })
}

/**
 * Gives each document another's labels, in their order and from their start again where it is longer, so that labels keep
 * their places beside each other. `rows` are those of each document.
 */
export function dealRows(
  labels: ConceptLabels,
  own: Uint8Array,
  deal: ArrayLike<number>,
  rows: readonly Uint32Array[] = unitRows(labels),
): Uint8Array {
  const dealt = new Uint8Array(own.length)
  rows.forEach((places, unit) => {
    const from = rows[deal[unit]!]!
    if (from.length > 0) for (let i = 0; i < places.length; i++) dealt[places[i]!] = own[from[i % from.length]!]!
  })
  return dealt
}

/** The group of a concept named `group=value`; a concept without one is a group of its own. */
export function groupOf(concept: string): string {
  const end = concept.indexOf('=')
  return end < 0 ? concept : concept.slice(0, end)
}
