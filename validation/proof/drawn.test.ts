/** Stated effects, halves and intervals, on effects that were drawn: a little in every run, the whole tables in long ones. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { coverageOf, covered } from './coverage.ts'
import { handMadeRows } from './hand-made.ts'
import { foundAtStated, halvesAgree, passes } from './power.ts'

const long = Boolean(process.env.PIPELINE_LONG)
// The longest takes five minutes of a processor of its own, and several times as much where others work on it.
const patience = long ? 3_600_000 : 60_000
const spread = { documents: 0.3, controls: 0.05 }
const few = long ? {} : { controls: 39 }
const rows = (effect: number, documents = 16) =>
  handMadeRows(new Random('drawn', effect), { documents, effect, spread })

describe('what a claim rests on', () => {
  test('an effect in every document passes, alone and among twenty', () => {
    expect(passes(rows(2))).toBe(true)
    // With 99 controls p is at least .01, and q among twenty .2; with 399 it is .05.
    expect(passes(rows(2), 20)).toBe(false)
    const many = handMadeRows(new Random('many'), { documents: 16, effect: 2, spread, controls: 399 })
    expect(passes(many, 20)).toBe(true)
  })

  test.each<[string, (d: number) => number]>([
    ['one document of sixteen', d => (d === 0 ? 10 : 0)],
    ['one document, with the wrong sign in most', d => (d === 0 ? 10 : d < 10 ? -0.2 : 0)],
  ])('an effect in %s does not', (_, effectOf) => {
    const changed = rows(0).map(row =>
      row.control === 'feature' ? { ...row, target: -effectOf(Number(row.document.slice(1))) } : row,
    )
    expect(passes(changed)).toBe(false)
  })

  test.each([3, 4])('an effect in %i documents does not, however large', documents => {
    expect(passes(rows(5, documents))).toBe(false)
  })
})

test(
  'the effect that a study states is found by others about as often as it says',
  () => {
    const [studies, wide] = long ? [400, 0.04] : [20, 0.15]
    for (const documents of long ? [8, 16, 32] : [8]) {
      const { found } = foundAtStated({ documents, spread, studies, looks: 5, ...few })
      expect(found.count / found.of).toBeGreaterThan(0.8 - wide)
      expect(found.count / found.of).toBeLessThan(0.8 + wide)
    }
  },
  patience,
)

test(
  'halves of the documents agree as often as two studies of that power would',
  () => {
    for (const effect of long ? [0.2, 0.3, 0.4, 0.6] : [0.4]) {
      const { agreed, expected } = halvesAgree({ documents: 16, spread, effect, studies: long ? 300 : 20, ...few })
      expect(agreed.low).toBeLessThanOrEqual(expected)
      expect(agreed.high).toBeGreaterThanOrEqual(expected)
    }
  },
  patience,
)

test.each(covered.filter(({ name }) => long || !name.startsWith('less')))(
  'the interval of $name holds what it is of',
  one => {
    const found = coverageOf(one, long ? 2000 : 100)
    const share = found.count / found.of
    expect(found.of).toBeGreaterThan(long ? 1990 : 99)
    expect(share).toBeGreaterThan(long ? 0.93 : 0.88)
    expect(share).toBeLessThan(long ? 0.97 : 1)
  },
  patience,
)
