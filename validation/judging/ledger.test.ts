import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { adjust } from '../../statistics/multiplicity/family.ts'
import { rankP } from '../../statistics/tests/permutation.ts'
import { type LedgerRun, standingsOf } from './ledger.ts'

const alpha = 0.05
/** A run of one latent with this q: it passes where that is at most α. */
const run = (i: number, q: number | null, feature = 7, test = `test-${i}`): LedgerRun => ({
  run: `run-${i}`,
  started: `2026-01-01T00:00:${String(i).padStart(2, '0')}Z`,
  seed: i,
  features: [
    q !== null && q <= alpha
      ? { feature, alpha, q, test, tier: 'supported', undecidedTier: 'suggestive', verdict: 'pass' }
      : { feature, alpha, q, test, tier: 'suggestive', undecidedTier: 'suggestive', verdict: 'inconclusive' },
  ],
})

describe('the ledger', () => {
  test.each([
    // What a run found of itself, and what stands where another run bears it out, and where three do not.
    ['pass', 'triangulated', 'suggestive', 'triangulated', 'suggestive'],
    ['pass', 'triangulated', 'underdetermined', 'triangulated', 'underdetermined'],
    ['pass', 'supported', 'suggestive', 'supported', 'suggestive'],
    ['inconclusive', 'suggestive', 'suggestive', 'suggestive', 'suggestive'],
    ['inconclusive', 'underdetermined', 'underdetermined', 'underdetermined', 'underdetermined'],
    ['fail', 'refuted', 'suggestive', 'refuted', 'refuted'],
    ['not-run', 'proposed', 'underdetermined', 'proposed', 'proposed'],
  ] as const)(
    'a %s that is %s, or else %s, stands as %s beside a pass and as %s beside three that are none',
    (...row) => {
      const [verdict, tier, undecidedTier, borneOut, alone] = row
      const q = { pass: 0.03, inconclusive: 0.2, fail: 0.9, 'not-run': null }[verdict]
      const own: LedgerRun = {
        ...run(0, q),
        features: [{ feature: 7, alpha, q, test: 'own', tier, undecidedTier, verdict }],
      }
      const tierAmong = (...others: LedgerRun[]) => standingsOf('run-0', [own, ...others])[0]!.standingTier
      expect(tierAmong(run(1, 0.001))).toBe(borneOut)
      expect(tierAmong(run(1, 0.4), run(2, 0.7), run(3, 0.6))).toBe(alone)
    },
  )

  test('twenty seeds of a null latent are one family: as often as α one of them stands, where most often one had passed', () => {
    const controls = 399
    let [passed, stands, everStood] = [0, 0, 0]
    const tries = process.env.PIPELINE_LONG ? 4000 : 300
    for (let tried = 0; tried < tries; tried++) {
      const random = new Random('ledger', tried)
      const ledger = Array.from({ length: 20 }, (_, i) => {
        const others = Array.from({ length: controls }, () => random.normal())
        return run(i, rankP(random.normal(), others, 'greater'))
      })
      const standing = (runs: readonly LedgerRun[], i: number) => standingsOf(`run-${i}`, runs)[0]!.standing === 'pass'
      if (ledger.some(({ features }) => features[0]!.verdict === 'pass')) passed++
      if (ledger.some((_, i) => standing(ledger, i))) stands++
      if (ledger.some((_, i) => standing(ledger.slice(0, i + 1), i))) everStood++
    }
    expect(passed / tries).toBeGreaterThan(0.55)
    expect(stands / tries).toBeLessThan(0.08)
    // Printed at once, before the later tries are in: a first run is taken at α, the others add less than that again.
    expect(everStood / tries).toBeLessThan(0.15)
  })

  test('a first run is not corrected, and one that holds in every run stands', () => {
    expect(standingsOf('run-0', [run(0, 0.05)])[0]).toMatchObject({
      runs: 1,
      earlier: 0,
      qAcross: 0.05,
      standing: 'pass',
    })
    const three = [run(0, 0.01), run(1, 0.012), run(2, 0.009)]
    for (const one of three) expect(standingsOf(one.run, three)[0]!.standing).toBe('pass')
    // Benjamini and Yekutieli by hand: 3 · (1 + 1/2 + 1/3) / 3 times the largest.
    expect(standingsOf('run-1', three)[0]!.qAcross).toBeCloseTo((0.012 * 11) / 6, 12)
    expect(standingsOf('run-2', three)[0]!.earlier).toBe(2)
  })

  test('one pass among many tries does not stand, and runs that measured nothing do not count', () => {
    const tries = [run(0, 0.4), run(1, 0.7), run(2, 0.03), run(3, 0.2)]
    expect(standingsOf('run-2', tries)[0]).toMatchObject({
      verdict: 'pass',
      standing: 'inconclusive',
      runs: 4,
      earlier: 2,
    })
    const others = [run(1, null), run(2, 0.03)]
    expect(standingsOf('run-2', others)[0]).toMatchObject({ standing: 'pass', runs: 1, earlier: 0, qAcross: 0.03 })
    expect(standingsOf('run-1', others)[0]).toMatchObject({ qAcross: null, standing: 'inconclusive' })
  })

  test('twenty runs of other latents that do nothing are one search: most often one passes, and as often as α one stands', () => {
    const [controls, latents, tries] = [399, 8, process.env.PIPELINE_LONG ? 2000 : 150]
    let [passed, stands] = [0, 0]
    for (let tried = 0; tried < tries; tried++) {
      const random = new Random('search', tried)
      const ledger = Array.from({ length: 20 }, (_, i): LedgerRun => {
        const ps = Array.from({ length: latents }, () => (1 + random.int(controls + 1)) / (controls + 1))
        const features = adjust('a run', ps, 'bh').adjusted.flatMap(
          (q, l) => run(i, q, latents * i + l, `${i} ${l}`).features,
        )
        return { ...run(i, null), features }
      })
      if (ledger.some(({ features }) => features.some(({ verdict }) => verdict === 'pass'))) passed++
      if (ledger.some(one => standingsOf(one.run, ledger).some(({ standing }) => standing === 'pass'))) stands++
    }
    expect(passed / tries).toBeGreaterThan(0.4)
    expect(stands / tries).toBeLessThan(0.08)
  })

  test('passes of a run stand beside runs of other latents as far as these pass, too', () => {
    const beside = (...qs: number[]) =>
      standingsOf('run-0', [run(0, 0.02), ...qs.map((q, i) => run(i + 1, q, 20 + i))])[0]!
    expect(beside(0.4)).toMatchObject({ qAcross: 0.04, standing: 'pass', runs: 1 })
    expect(beside(0.4, 0.7)).toMatchObject({ standing: 'inconclusive' })
    expect(beside(0.04, 0.03, 0.01)).toMatchObject({ qAcross: 0.02, standing: 'pass' })
    // A run that did the same again is none.
    expect(
      standingsOf('run-0', [run(0, 0.03), run(1, 0.4, 9, 'same'), run(2, 0.4, 9, 'same')])[0]!.qAcross,
    ).toBeCloseTo(0.06)
  })

  test('the same test again, beside other studies, is no further try; the same effect in another family is one', () => {
    const again = [run(0, 0.03, 7, 'same'), run(1, 0.03, 7, 'same'), run(2, 0.03, 7, 'same')]
    for (const { run: id } of again)
      expect(standingsOf(id, again)[0]).toMatchObject({ runs: 1, qAcross: 0.03, standing: 'pass' })
    // Others that did the same as each other are one try, too.
    const beside = [...again, run(3, 0.2)]
    expect(standingsOf('run-3', beside)[0]).toMatchObject({ runs: 2 })
    expect(standingsOf('run-0', beside)[0]).toMatchObject({ runs: 2, standing: 'inconclusive' })
  })
})
