/**
 * How many independent rows the rows of each stratum are worth: rows of one document are alike, so that n of them say as
 * much as n / (1 + (m − 1)ρ) (Kish 1965). ρ is the intraclass correlation of whole vectors, by analysis of variance with
 * traces in place of squares; m = Σ n² / Σ n is the document's size that a row finds itself in. A copy says nothing that the
 * first of its family did not, so that of copies those are counted that come first in a stratum.
 */
import { effectiveSize } from '../../statistics/intervals/design-effect.ts'

interface Stratum {
  rows: number
  documents: number
  /** Σ n² over the documents. */
  sizes: number
  /** Σ ‖x‖², and Σ ‖Σ x‖² / n over the documents, x less the center. */
  squares: number
  between: number
  readonly sum: Float64Array
  /** The document under way. */
  unit: string | undefined
  /** Whether it is a copy of one that this stratum has already, and of which families of copies it has any. */
  isRepeated: boolean
  readonly families: Set<number>
  count: number
  readonly own: Float64Array
}

/** Whose a row is. */
export interface RowUnit {
  readonly unit: string
  readonly family: number
}

/** Takes rows in their order; those of one document stand together. */
export class EffectiveSizes {
  private readonly center: readonly number[]
  private readonly strata: Stratum[]

  /** Rows are taken relative to `center` [width], which is near their mean. */
  constructor(center: readonly number[], strata: number) {
    this.center = center
    const zeros = () => new Float64Array(center.length)
    this.strata = Array.from({ length: strata }, () => ({
      ...{ rows: 0, documents: 0, sizes: 0, squares: 0, between: 0, sum: zeros() },
      ...{ unit: undefined, isRepeated: false, families: new Set<number>(), count: 0, own: zeros() },
    }))
  }

  /** Adds the row of `values` that begins at `at`, of the document `unit`, which is alone (0) or of a family of copies, numbered from 1 up. */
  add(stratum: number, { unit, family }: RowUnit, values: Float32Array, at: number): void {
    const found = this.strata[stratum]!
    if (found.unit !== unit) {
      this.close(found)
      found.unit = unit
      found.isRepeated = found.families.has(family)
      if (family > 0) found.families.add(family)
    }
    if (found.isRepeated) return
    found.rows++
    found.count++
    for (let i = 0; i < this.center.length; i++) {
      const value = values[at + i]! - this.center[i]!
      found.squares += value * value
      found.own[i]! += value
    }
  }

  /** Documents of each stratum, and its effective size; null for fewer than two documents. */
  result(): { documents: number; effectiveSize: number | null }[] {
    return this.strata.map(found => {
      this.close(found)
      return { documents: found.documents, effectiveSize: sizeOf(found) }
    })
  }

  private close(found: Stratum): void {
    if (found.count === 0) return
    let squares = 0
    for (const [i, value] of found.own.entries()) {
      squares += value * value
      found.sum[i]! += value
    }
    found.between += squares / found.count
    found.sizes += found.count ** 2
    found.documents++
    found.count = 0
    found.own.fill(0)
  }
}

function sizeOf({ rows: n, documents: k, sizes, squares, between, sum }: Stratum): number | null {
  if (k < 2) return null
  if (n === k) return n
  const total = sum.reduce((all, value) => all + value * value, 0) / n
  const msb = (between - total) / (k - 1)
  const msw = (squares - between) / (n - k)
  const m0 = (n - sizes / n) / (k - 1)
  const spread = msb + (m0 - 1) * msw
  // Where nothing varies, or documents vary less than chance would have it, rows count as independent.
  const icc = spread > 0 ? Math.min(1, Math.max(0, (msb - msw) / spread)) : 0
  return effectiveSize(n, Math.max(1, sizes / n), icc)
}
