import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import type { Claim } from '../evidence.ts'
import type { EffectRow } from '../rows.ts'
import { contractSettings } from './bench.fixture.ts'
import { heterogeneity } from './heterogeneity.ts'
import { keepsTheContract } from './study.contract.ts'
import type { TestedLatent } from './study.ts'

/** A latent with these effects as claimed, and one random control whose effect is 1 in every document. */
function testedOf(values: readonly number[], feature = 1): TestedLatent<never> {
  const row = (control: EffectRow['control'], controlId: number | null, d: number, target: number): EffectRow => ({
    ...{ feature, intervention: 'ablate', dose: 0, control, controlId, document: `d${d}`, window: `d${d}` },
    ...{ positions: 1, norm: 1, target, loss: 0, kl: 0 },
  })
  const claim = { feature, primary: 'ablate', direction: 'decrease', dose: 1 } as Claim
  const effects = values.flatMap((value, d) => [row('feature', null, d, -value), row('random', 0, d, -1)])
  return { claim, rows: [], effects, evidence: {} as TestedLatent<never>['evidence'] }
}

const languages = ['de', 'en', 'fr']
const strata = Object.fromEntries(
  Array.from({ length: 24 }, (_, d) => [`d${d}`, { language: languages[d % 3]!, one: 'all' }]),
)
const settings = { ...contractSettings, fields: ['language', 'one', 'none'], strata }
const found = (...all: readonly (readonly number[])[]) =>
  heterogeneity.judge(
    all.map((values, i) => testedOf(values, i)),
    settings,
  )

test('by hand: strata of means 4, 4 and 1 beyond the control', () => {
  const spread = [-0.5, 0, 0.5]
  const values = Array.from({ length: 9 }, (_, d) => 1 + (d % 3 === 2 ? 1 : 4) + spread[Math.floor(d / 3)]!)
  const [{ fields, control }] = found(values) as [NonNullable<ReturnType<typeof found>[number]>]
  expect([control, fields.length]).toEqual(['random', 1])
  const [language] = fields
  expect(language).toMatchObject({ field: 'language', strata: 3, documents: 9, df: 2 })
  // Variances .25 / 3; weights 12: Q = 12 · (1 + 1 + 4) = 72.
  expect(language!.cochranQ).toBeCloseTo(72, 9)
  expect(language!.i2).toBeCloseTo(70 / 72, 12)
  expect(language!.pooled).toBeCloseTo(3, 9)
  expect(language!.worst).toMatchObject({ value: 'fr', documents: 3 })
  expect(language!.worst.difference).toBeCloseTo(1, 12)
  expect(language!.worst.ratio!.ratio).toBeCloseTo(1 / 3, 12)
  // 3 · 20 of 1,680 deals have the three smallest values together; 999 are drawn.
  expect(Math.abs(language!.p - 60 / 1680)).toBeLessThan(0.02)
})

test('an effect that one language lacks is not everywhere, and one that all have is', () => {
  const random = new Random(3)
  const noise = () => 0.3 * random.normal()
  const [lacking, shared] = found(
    Array.from({ length: 24 }, (_, d) => 1 + (d % 3 === 1 ? 0 : 2) + noise()),
    Array.from({ length: 24 }, () => 3 + noise()),
  )
  expect(lacking!.fields[0]).toMatchObject({ everywhere: false, worst: { value: 'en' } })
  expect(lacking!.fields[0]!.q).toBeLessThan(0.01)
  expect(shared!.fields[0]).toMatchObject({ everywhere: true })
  expect(shared!.fields[0]!.q).toBeGreaterThan(0.05)
})

test('documents dealt by lot differ between strata no more often than α', () => {
  let small = 0
  const runs = 200
  for (let run = 0; run < runs; run++) {
    const random = new Random('null strata', run)
    const [one] = found(Array.from({ length: 12 }, () => Math.exp(2 * random.normal())))
    if (one!.fields[0]!.p <= 0.05) small++
  }
  expect(small / runs).toBeLessThan(0.09)
})

describe('as a study', () =>
  keepsTheContract(heterogeneity, [testedOf([1, 2, 3, 4, 5, 6, 7, 8, 9]), testedOf([3, 3, 3], 2)], settings))
