import { describe, expect, test } from 'vitest'
import type { LatentFindings } from '../contracts/index.ts'
import { type FeatureEvidence, flagsOf } from '../evidence.ts'
import { tierOf } from './tier.ts'

/** As much of a feature's evidence as tiers rest on: ablated as claimed, steered as claimed. */
function feature(more: Record<string, unknown> = {}): FeatureEvidence {
  const intervention = (direction: 'decrease' | 'increase', low: number, high: number) => ({
    test: { p: 0.01, q: 0.02, direction },
    power: { atSmallestEffect: 0.4, minimumDetectableEffect: 0.3, effectiveAlpha: 0.05 },
    metrics: { target: { effect: { low, high, documents: 16 }, controls: [{ control: 'random', low, high }] } },
  })
  return {
    claim: {
      primary: 'ablate',
      alpha: 0.05,
      smallestEffect: 0.05,
      power: 0.8,
      documents: { ablate: ['a'], steer: [] },
    },
    verdict: 'pass',
    causal: { verdict: 'pass' },
    selectivity: null,
    strataHeld: [],
    falsifiers: [],
    ablate: intervention('decrease', -0.9, -0.4),
    steer: intervention('increase', 0.3, 0.8),
    studies: {},
    ...more,
  } as unknown as FeatureEvidence
}
const agree = {
  transfer: { verdict: 'pass' },
  specificity: { isolated: true },
  association: { finding: 'beyond-token' },
  interchange: { sufficiency: { found: true } },
}

describe('tiers', () => {
  test.each([
    ['not-run', ['proposed']],
    ['fail', ['refuted']],
    ['inconclusive', ['suggestive', 'underdetermined']],
    ['pass', ['supported', 'triangulated']],
  ] as const)('a verdict of %s allows %s, whatever the lines of evidence say', (verdict, allowed) => {
    const found = [{}, { studies: agree }, { ablate: null }, { studies: agree, steer: null }].map(
      more => tierOf(feature({ verdict, causal: { verdict }, ...more })).tier,
    )
    expect(allowed).toEqual(expect.arrayContaining(found))
  })

  test('a claim that passes alone is supported, and says which lines would triangulate it', () => {
    const found = tierOf(feature())
    expect([found.tier, found.rule]).toEqual(['supported', 'lines-missing'])
    expect(found.lines.map(({ line, state }) => `${line} ${state}`)).toEqual([
      'other-intervention holds',
      'out-of-distribution not-asked',
      'specificity not-asked',
      'within-token not-asked',
      'sufficiency not-asked',
    ])
    expect(found.wouldChange).toContainEqual({
      ...{ to: 'triangulated', path: 'studies.transfer.verdict', value: null, needs: 'is', threshold: 'pass' },
    })
  })

  test('with a stratum in which the effect is the other way it is not triangulated whatever else holds, and says so', () => {
    const fields = (high: number) => ({ fields: [{ field: 'half', q: 0.2, worst: { value: 'odd', high } }] })
    const found = tierOf(feature({ studies: { ...agree, heterogeneity: fields(-0.1) } }))
    expect([found.tier, found.rule]).toEqual(['supported', 'a-stratum-reverses'])
    expect(found.wouldChange).toEqual([
      {
        to: 'triangulated',
        path: 'studies.heterogeneity.fields.half=odd.high',
        value: -0.1,
        needs: 'above',
        threshold: 0,
      },
    ])
    expect(flagsOf({ heterogeneity: fields(-0.1) } as LatentFindings)).toEqual(['the other way in half=odd'])
    expect(tierOf(feature({ studies: { ...agree, heterogeneity: fields(0.1) } })).tier).toBe('triangulated')
  })

  test('with the other intervention and two more lines it is triangulated; without steering, or with one line, it is not', () => {
    const { transfer, specificity } = agree
    expect(tierOf(feature({ studies: { transfer, specificity } })).tier).toBe('triangulated')
    expect(tierOf(feature({ studies: { transfer } })).tier).toBe('supported')
    expect(tierOf(feature({ steer: null, studies: agree })).tier).toBe('supported')
  })

  test('one line that contradicts keeps it from being triangulated, whatever else holds', () => {
    const against: Record<string, unknown>[] = [
      { transfer: { verdict: 'fail' } },
      { specificity: { isolated: false } },
      { association: { finding: 'token' } },
      { association: { finding: 'as-random-directions' } },
      { interchange: { sufficiency: { found: false } } },
    ]
    expect(tierOf(feature({ studies: agree })).tier).toBe('triangulated')
    for (const one of against) {
      const found = tierOf(feature({ studies: { ...agree, ...one } }))
      expect([found.tier, found.rule]).toEqual(['supported', 'a-line-contradicts'])
    }
    const steered = feature({ studies: agree })
    const reversed = { ...steered.steer!, metrics: { target: { effect: { low: -0.5, high: -0.1 }, controls: [] } } }
    expect(tierOf({ ...steered, steer: reversed } as unknown as FeatureEvidence).rule).toBe('a-line-contradicts')
  })

  test('a study that could not tell is no line', () => {
    const undecided = { ...agree, transfer: null, specificity: { isolated: null }, interchange: null }
    const found = tierOf(feature({ studies: undecided }))
    expect(found.tier).toBe('supported')
    expect(found.lines.filter(({ state }) => state === 'undecided')).toHaveLength(3)
  })

  test('what is inconclusive is suggestive where it ranks by itself, else underdetermined', () => {
    const open = { verdict: 'inconclusive', causal: { verdict: 'inconclusive' } }
    expect(tierOf(feature(open))).toMatchObject({ tier: 'suggestive', rule: 'ranks-before-correction' })
    const { ablate } = feature()
    const unranked = { ...ablate!, test: { ...ablate!.test, p: 0.2, q: 0.4 } }
    const found = tierOf(feature({ ...open, ablate: unranked }))
    expect(found).toMatchObject({ tier: 'underdetermined', rule: 'does-not-rank' })
    expect(found.wouldChange).toContainEqual({
      to: 'supported',
      path: 'ablate.test.q',
      value: 0.4,
      needs: 'at most',
      threshold: 0.05,
    })
    expect(found.wouldChange).toContainEqual({
      ...{ to: 'refuted', path: 'ablate.power.atSmallestEffect', value: 0.4, needs: 'above', threshold: 0.8 },
    })
    const short = { ...ablate!, metrics: { target: { effect: { low: -0.4, high: 0.1 }, controls: [] } } }
    expect(tierOf(feature({ ...open, ablate: short })).tier).toBe('underdetermined')
  })

  test('what failed is refuted, by the part that failed', () => {
    const failed = (more: Record<string, unknown>) => tierOf(feature({ verdict: 'fail', ...more }))
    expect(failed({ causal: { verdict: 'fail' } }).rule).toBe('no-effect')
    expect(failed({ selectivity: { verdict: 'fail', q: 0.5 } }).rule).toBe('not-selective')
    expect(failed({ strataHeld: [{ verdict: 'fail', field: 'language', value: 'de', difference: 0 }] })).toMatchObject({
      ...{ tier: 'refuted', rule: 'a-stratum-fails' },
      wouldChange: [{ path: 'strataHeld.language=de', threshold: 0.05 }],
    })
    const falsifier = { path: 'sham', above: 0 }
    expect(failed({ falsifiers: [{ state: 'found', value: 1, falsifier }] }).rule).toBe('a-falsifier-is-found')
  })

  test('what was not measured is proposed', () => {
    expect(tierOf(feature({ verdict: 'not-run' }))).toMatchObject({
      ...{ tier: 'proposed', rule: 'not-measured' },
      wouldChange: [{ path: 'claim.documents.ablate.length', value: 1, needs: 'above', threshold: 2 }],
    })
  })
})
