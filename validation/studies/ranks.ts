/** The rank of a latent's effect among controls that got the same edits. */
import { rankP } from '../../statistics/tests/permutation.ts'
import { fewestControls } from './subject.ts'

/** A row of the latent itself or of one of its controls. */
interface Controlled {
  readonly control: string
  readonly controlId: number | null
}

/**
 * The largest of the kinds' p-values (1 + #{controls whose value is as large}) / (K + 1); null where a kind has too few controls for
 * a rank at level alpha. `value` makes one number of a control's rows.
 */
export function rankAmong<Row extends Controlled>(
  effect: number,
  rows: readonly Row[],
  kinds: readonly string[],
  alpha: number,
  value: (rows: readonly Row[]) => number,
): number | null {
  let largest: number | null = null
  for (const kind of kinds) {
    const controls = new Map<number | null, Row[]>()
    for (const row of rows) {
      if (row.control !== kind) continue
      const own = controls.get(row.controlId)
      if (own) own.push(row)
      else controls.set(row.controlId, [row])
    }
    if (controls.size < fewestControls(alpha)) return null
    largest = Math.max(largest ?? 0, rankP(effect, [...controls.values()].map(value), 'greater'))
  }
  return largest
}
