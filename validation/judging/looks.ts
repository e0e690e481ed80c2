/**
 * The look: after part of the documents of its primary intervention a claim is given up that has failed already, so that such claims
 * cost a part of what others do. It has failed where the interval of its effect less that of a kind of control lies short of the
 * smallest effect of interest.
 *
 * Nothing passes at the look, and a claim that is given up has p = 1 against every kind, so that p below x comes about by all
 * documents alone, and no more often than without it. `fail` is another error, and the interval that it rests on is asked for
 * twice: α is spent on both (Lan and DeMets 1983; O'Brien and Fleming's function), nearly all of it at the end.
 */
import { normalCdf } from '../../statistics/distributions/normal.ts'
import { errorSpending } from '../../statistics/tests/error-spending.ts'

/** Where a claim is looked at, and the level of the intervals there. */
export interface Look {
  /** Documents in hand. */
  readonly documents: number
  /** Level of two-sided intervals. */
  readonly level: number
}

/** The share of the documents that the look waits for, and the fewest of them. */
const share = 0.25
const fewest = 8

/** The look and the end of a claim on so many documents; the end alone where the look would come to more than half of them. */
export function looksOf(documents: number, alpha: number): readonly Look[] {
  const first = Math.max(fewest, Math.ceil(share * documents))
  if (2 * first > documents) return [{ documents, level: 1 - alpha }]
  const times = [first / documents, 1]
  return errorSpending(times, { alpha }).map(({ boundary }, i) => ({
    documents: i === 0 ? first : documents,
    level: 1 - 2 * normalCdf(-boundary!),
  }))
}

/** The level of the intervals of a claim, and whether it was given up: then nothing was measured in documents behind the look. */
export function lookAt(
  measured: ReadonlySet<string>,
  planned: readonly string[],
  alpha: number,
): { readonly level: number; readonly givenUp: boolean } {
  const [first, end] = looksOf(planned.length, alpha)
  if (!end) return { level: first!.level, givenUp: false }
  const givenUp = !planned.slice(first!.documents).some(document => measured.has(document))
  return { level: (givenUp ? first! : end).level, givenUp }
}
