/**
 * Rows of two captures at common rates. The mean of a document's few rows lies further off than that of its many, so that two
 * samples of one text at other rates would differ by their sizes alone. Rows are thinned, by a hash, to the lower of both rates
 * of their stratum; then every token is in either sample with the same probability, and the two may change places.
 */
import { uniformsOf } from '../../core/random.ts'
import { figure } from '../../core/text.ts'
import type { CaptureManifest } from './manifest.ts'
import type { RowColumns } from './reader.ts'

type Sampled = Pick<CaptureManifest, 'sampling'>

/** Rates of a capture's strata: as it drew them, and in common with another. */
export interface CommonRates {
  readonly own: readonly number[]
  readonly common: readonly number[]
}

/** Fields that both captures sampled by, in the same bands. */
function sharedFields({ sampling: a }: Sampled, { sampling: b }: Sampled): string[] {
  const same = (x: readonly number[], y: readonly number[]) => JSON.stringify(x) === JSON.stringify(y)
  return a.fields.filter(
    field =>
      b.fields.includes(field) &&
      (field !== 'position' || same(a.positionBands, b.positionBands)) &&
      (field !== 'frequency' || same(a.frequencyBands, b.frequencyBands)),
  )
}

/** Whether the strata of both are of the same fields, in the same bands. */
export function sampledAlike(a: Sampled, b: Sampled): boolean {
  const shared = sharedFields(a, b).length
  return shared === a.sampling.fields.length && shared === b.sampling.fields.length
}

/** Of each, the least rate that either has among the strata with the same values of the fields that both sampled by. */
export function commonRates(a: Sampled, b: Sampled): [CommonRates, CommonRates] {
  const fields = sharedFields(a, b)
  type Stratum = Sampled['sampling']['strata'][number]
  const key = ({ values }: Stratum) => JSON.stringify(fields.map(field => values[field]))
  const least = new Map<string, number>()
  for (const { sampling } of [a, b])
    for (const stratum of sampling.strata)
      least.set(key(stratum), Math.min(stratum.probability, least.get(key(stratum)) ?? 1))
  const rates = ({ sampling: { strata } }: Sampled) => ({
    own: strata.map(({ probability }) => probability),
    common: strata.map(stratum => least.get(key(stratum))!),
  })
  return [rates(a), rates(b)]
}

/** Which of a capture's rows stay at the common rates; a function of window and position, so the same each time. */
export function keptRows(
  { document, position, stratum }: Pick<RowColumns, 'document' | 'position' | 'stratum'>,
  { own, common }: CommonRates,
): (row: number) => boolean {
  const shares = common.map((rate, i) => rate / own[i]!)
  let window = -1
  let draw = (_: number) => 0
  return row => {
    const share = shares[stratum[row]!]!
    if (share === 1) return true
    if (document[row] !== window) {
      window = document[row]!
      draw = uniformsOf('rows in common', window)
    }
    return draw(position[row]!) < share
  }
}

/** A sentence for each capture whose rows are not all compared. */
export function thinnedNotes(a: Sampled, b: Sampled): string[] {
  return commonRates(a, b).flatMap(({ own, common }, side) => {
    const { strata } = [a, b][side]!.sampling
    const rows = strata.reduce((sum, { sample }) => sum + sample, 0)
    const kept = strata.reduce((sum, { sample }, i) => sum + (sample * common[i]!) / own[i]!, 0)
    if (common.every((rate, i) => rate === own[i])) return []
    return [
      `About ${figure(Math.round(kept))} of the ${figure(rows)} rows of the ${side === 0 ? 'first' : 'second'} capture are compared, so that both are sampled at the same rates.`,
    ]
  })
}
