import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { rankP } from '../../statistics/tests/permutation.ts'
import { type LedgerRun, standingsOf } from './ledger.ts'

const alpha = 0.05
/** A run of one latent with this q: it passes where that is at most α. */
const run = (i: number, q: number | null, feature = 7, test = `test-${i}`): LedgerRun => ({
  run: `run-${i}`,
  started: `2026-01-01T00:00:${String(i).padStart(2, '0')}Z`,
  seed: i,
  features: [
    { feature, alpha, q, test, tier: 'supported', verdict: q !== null && q <= alpha ? 'pass' : 'inconclusive' },
  ],
})

describe('the ledger', () => {
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

  test('one pass among many tries does not stand, and runs of other latents, or that did not measure it, do not count', () => {
    const tries = [run(0, 0.4), run(1, 0.7), run(2, 0.03), run(3, 0.2)]
    expect(standingsOf('run-2', tries)[0]).toMatchObject({
      verdict: 'pass',
      standing: 'inconclusive',
      runs: 4,
      earlier: 2,
    })
    const others = [run(0, 0.4, 8), run(1, null), run(2, 0.03)]
    expect(standingsOf('run-2', others)[0]).toMatchObject({ standing: 'pass', runs: 1, earlier: 0 })
    expect(standingsOf('run-1', others)[0]).toMatchObject({ qAcross: null, standing: 'inconclusive' })
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
