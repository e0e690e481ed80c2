/** Claims of strata on effects drawn by hand, whose sign depends on the stratum. */
import { expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { handMadeClaim, handMadeRows } from '../proof/hand-made.ts'
import type { EffectRow } from '../rows.ts'
import { heldStrata } from './conditions.ts'

const names = ['even', 'odd', 'rare']
const halfOf = (document: string) => (document === 'd0' ? 'rare' : names[Number(document.slice(1)) % 2]!)
const strata = Object.fromEntries(Array.from({ length: 16 }, (_, d) => [`d${d}`, { half: halfOf(`d${d}`) }]))
const settings = { alpha: 0.05, power: 0.8, smallestEffect: 0.05, bootstrap: 200, family: 1 }

/** What is held of a latent whose effect is 1 nat as claimed, but so many times that in documents of the half `odd`. */
function held(times: number, values: readonly string[]) {
  const spread = { documents: 0.1, controls: 0.05 }
  const rows = handMadeRows(new Random('strata'), { documents: 16, effect: 1, spread, controls: 19 })
  const turned = rows.map((row): EffectRow => {
    const turns = row.control === 'feature' && halfOf(row.document) === 'odd'
    return turns ? { ...row, target: times * row.target } : row
  })
  return heldStrata({ ...handMadeClaim, strata: { half: [...values] } }, turned, strata, settings)
}

test('a claim of two strata holds in the one and fails in the one whose effect is the other way', () => {
  const [even, odd] = held(-0.5, ['even', 'odd'])
  expect(even).toMatchObject({ value: 'even', documents: 7, verdict: 'pass' })
  expect(odd).toMatchObject({ value: 'odd', documents: 8, verdict: 'fail' })
  expect(odd!.difference).toBeGreaterThan(0.3)
  expect(odd!.reason).toContain('less than 0.05')
})

test('it holds where both are as claimed, and is open where there is one document, or none', () => {
  expect(held(1, ['even', 'odd']).map(({ verdict }) => verdict)).toEqual(['pass', 'pass'])
  expect(held(1, ['rare', 'none']).map(({ verdict, low }) => [verdict, low])).toEqual([
    ['inconclusive', null],
    ['inconclusive', null],
  ])
})
