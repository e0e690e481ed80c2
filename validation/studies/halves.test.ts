import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import type { Claim } from '../evidence.ts'
import { ruled } from '../judging/passes.ts'
import type { EffectRow } from '../rows.ts'
import { contractSettings } from './bench.fixture.ts'
import { halves } from './halves.ts'
import { keepsTheContract } from './study.contract.ts'
import type { TestedLatent } from './study.ts'

/** A latent with these effects in its documents, and controls with next to none: 39 paired ones and 39 of their own documents. */
function testedOf(values: readonly number[], feature = 1): TestedLatent<never> {
  const random = new Random(4, feature)
  const row = (control: EffectRow['control'], controlId: number | null, d: number, target: number): EffectRow => ({
    ...{ feature, intervention: 'ablate', dose: 0, control, controlId, document: `d${d}`, window: `d${d}` },
    ...{ positions: 1, norm: 1, target, loss: 0, kl: 0 },
  })
  const controls = (control: 'random' | 'tied') =>
    Array.from({ length: 39 }, (_, id) => values.map((_, d) => row(control, id, d, 0.01 * random.normal()))).flat()
  const claim = { feature, primary: 'ablate', direction: 'decrease', dose: 1 } as Claim
  const effects = [
    ...values.map((value, d) => row('feature', null, d, -value)),
    ...controls('random'),
    ...controls('tied'),
  ]
  return { claim, rows: [], effects, evidence: { claim, ablate: null } as TestedLatent<never>['evidence'] }
}

const noise = new Random(7)
const steady = Array.from({ length: 16 }, () => 1 + 0.1 * noise.normal())
const inOne = Array.from({ length: 16 }, (_, d) => (d === 3 ? 16 : 0) + 0.01 * noise.normal())
const mixed = Array.from({ length: 16 }, (_, d) => (d % 2 === 0 ? 0.5 : 0.05) + 0.02 * noise.normal())
const found = (values: readonly number[]) => halves.judge([testedOf(values)], contractSettings)[0]!

test('an effect that every document has is in both halves of every halving', () =>
  expect(found(steady)).toMatchObject({
    ...{ documents: [8, 8], halvings: 20, both: 20, one: 0, neither: 0, sameSign: 1, finding: 'replicates' },
  }))

test('an effect of one document of sixteen, as large on average, is in neither', () => {
  const { both, neither, finding, highest } = found(inOne)
  expect([both, neither, finding]).toEqual([0, 20, 'in-neither-half'])
  // 16 over eight documents, less next to nothing.
  expect(highest).toBeCloseTo(2, 1)
})

test('where half of the documents have it, it hangs on which they are', () =>
  expect(found(mixed).finding).toBe('depends-on-documents'))

test('too few documents to halve say nothing', () =>
  expect(halves.judge([testedOf([1, 1, 1, 1, 1])], contractSettings)).toEqual([null]))

describe('the rule as it stands', () => {
  const rule = { alpha: 0.05, effectiveAlpha: 0.05, smallestEffect: 0.05 }
  const own = Float64Array.from([1, 1.1, 0.9, 1.05, 0.95, 1])
  const means = (count: number, value: number) => ({ means: new Float64Array(count).fill(value) })

  test('passes where every kind is beaten in rank and interval, by hand 1 − 0.2 beyond the hardest', () => {
    const { passes, beyond } = ruled({ own, kinds: [means(19, 0.1), means(19, 0.2)] }, rule)
    expect([passes, Math.round(1e9 * beyond)]).toEqual([true, 8e8])
  })

  test('does not where controls are too few for the rank, or reach as far, or documents are four', () => {
    expect(ruled({ own, kinds: [means(18, 0)] }, rule).passes).toBe(false)
    expect(ruled({ own, kinds: [{ means: Float64Array.of(...new Array(30).fill(0), 2, 2) }] }, rule).passes).toBe(false)
    expect(ruled({ own: own.slice(0, 4), kinds: [means(99, 0)] }, rule).passes).toBe(false)
    expect(ruled({ own, kinds: [] }, rule).passes).toBe(false)
  })
})

describe('as a study', () => keepsTheContract(halves, [testedOf(steady), testedOf(inOne, 2)], contractSettings))
