/** Raw rows of one intervention as one value a document: windows of the same document are averaged. */
import type { EffectRow, Intervention } from '../rows.ts'

/** What is measured of an edit. */
export type Metric = 'target' | 'loss' | 'kl'

/** Values by document. */
export interface Series {
  readonly target: readonly number[]
  readonly loss: readonly number[]
  readonly kl: readonly number[]
}

/** One control of a kind. */
export interface ControlSeries {
  readonly id: number
  readonly target: readonly number[]
  /** Null, as KL is, where it was not measured. */
  readonly loss: readonly number[] | null
  readonly kl: readonly number[] | null
}

/** The latent's values in each document, and its controls'. */
export interface Grouped {
  readonly documents: readonly string[]
  readonly own: Series
  /** Mean ‖Δx‖ in each document. */
  readonly norm: readonly number[]
  /** By kind; a control's values are in the order of `documents`, but for tied ones, which have documents of their own. */
  readonly controls: ReadonlyMap<string, readonly ControlSeries[]>
}

/** So many controls with an effect as far as the latent's end the measuring of their kind. */
export const stoppingExceedances = 10

/** Whether controls of a kind are measured on the latent's own documents. */
export const isPaired = (kind: string) => kind !== 'tied'

/** Groups the rows of an intervention at a dose. */
export function groupRows(rows: readonly EffectRow[], intervention: Intervention, dose: number): Grouped {
  const feature: EffectRow[] = []
  const kinds = new Map<string, Map<number, EffectRow[]>>()
  for (const row of rows) {
    if (row.intervention !== intervention || row.dose !== dose || row.control === 'sham') continue
    if (row.control === 'feature') feature.push(row)
    if (row.controlId === null) continue
    const kind = kinds.get(row.control) ?? new Map<number, EffectRow[]>()
    kinds.set(row.control, kind)
    const own = kind.get(row.controlId)
    if (own) own.push(row)
    else kind.set(row.controlId, [row])
  }
  const documents = [...new Set(feature.map(({ document }) => document))]
  const measured = (own: readonly EffectRow[], order: readonly string[], metric: 'loss' | 'kl') =>
    own.some(row => row[metric] === null) ? null : byDocument(own, order, row => row[metric]!)
  return {
    documents,
    own: {
      target: byDocument(feature, documents, row => row.target),
      loss: byDocument(feature, documents, row => row.loss!),
      kl: byDocument(feature, documents, row => row.kl!),
    },
    norm: byDocument(feature, documents, row => row.norm),
    controls: new Map(
      [...kinds].map(([kind, controls]) => [
        kind,
        [...controls].map(([id, own]) => {
          const order = isPaired(kind) ? documents : [...new Set(own.map(({ document }) => document))]
          return {
            id,
            target: byDocument(own, order, row => row.target),
            loss: measured(own, order, 'loss'),
            kl: measured(own, order, 'kl'),
          }
        }),
      ]),
    ),
  }
}

/** Means of a value over the rows of each document. */
export function byDocument<R extends { readonly document: string }>(
  rows: readonly R[],
  documents: readonly string[],
  value: (row: R) => number,
): number[] {
  const sums = new Map<string, { sum: number; count: number }>()
  for (const row of rows) {
    const found = sums.get(row.document) ?? { sum: 0, count: 0 }
    found.sum += value(row)
    found.count++
    sums.set(row.document, found)
  }
  return documents.map(document => {
    const found = sums.get(document)
    if (!found) throw new Error(`The effects have no row of the document ${document}.`)
    return found.sum / found.count
  })
}
