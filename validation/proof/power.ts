/** Whether effects are found as often as studies say, and whether halves of a study's documents agree as often as they should. */
import { Random } from '../../core/random.ts'
import { analyseIntervention } from '../judging/analyse.ts'
import { assemble } from '../judging/assemble.ts'
import { causalVerdict } from '../judging/verdict.ts'
import type { EffectRow } from '../rows.ts'
import { type HandMade, handMadeClaim, handMadeRows } from './hand-made.ts'
import { type Share, share } from './null-table.ts'

const settings = { alpha: 0.05, power: 0.8, bootstrap: 200, smallestEffect: 0.05 }

/** Whether a claim with these effects passes, as the only one or as one among so many that no other is true. */
export function passes(rows: readonly EffectRow[], among = 1): boolean {
  const found = analyseIntervention(handMadeClaim, rows, 'ablate', settings, 0)
  if (!found) return false
  // Benjamini and Hochberg's q of the smallest of m p-values, where the others are not small.
  const q = found.test.p === null ? null : Math.min(1, found.test.p * among)
  return causalVerdict({ ...found, test: { ...found.test, q, size: among } }, settings).verdict === 'pass'
}

/** The effect that a study states as detectable, when it tests the claim as the only one. */
function statedEffect(rows: readonly EffectRow[]): number | null {
  const [one] = assemble([{ claim: handMadeClaim, rows, selectivity: [], nullMaxima: [] }], {
    ...settings,
    ...{ minimumAuroc: 0.75, claims: 'firing', fields: [], strata: {}, seed: 0 },
  })
  return one!.ablate?.power?.minimumDetectableEffect ?? null
}

export interface PowerCell extends Pick<HandMade, 'documents' | 'spread' | 'shape' | 'controls'> {
  /** Studies that state an effect, and studies that look for each. */
  readonly studies: number
  readonly looks: number
}

/** How often the effect that a study states is found by other studies of it. */
export function foundAtStated({ studies, looks, ...cell }: PowerCell): { found: Share; mean: number } {
  let [found, sum, stated] = [0, 0, 0]
  for (let i = 0; i < studies; i++) {
    const random = new Random('stated', cell.documents, cell.spread.documents, cell.spread.controls, i)
    const effect = statedEffect(handMadeRows(random, { ...cell, effect: 0 }))
    if (effect === null) continue
    stated++
    sum += effect
    for (let look = 0; look < looks; look++) if (passes(handMadeRows(random, { ...cell, effect }))) found++
  }
  return { found: share(found, stated * looks), mean: sum / stated }
}

/**
 * How often two halves of a study's documents give the same verdict on an effect, how often a half finds it, and how often
 * halves would agree that find it so often and know nothing of each other: p² + (1 − p)².
 */
export function halvesAgree(cell: Omit<PowerCell, 'looks'> & { readonly effect: number }) {
  let [agreed, found] = [0, 0]
  for (let i = 0; i < cell.studies; i++) {
    const random = new Random('halves', cell.documents, cell.spread.documents, cell.spread.controls, i)
    const rows = handMadeRows(random, cell)
    const half = (rest: number) =>
      passes(rows.filter(({ control, document }) => control === 'tied' || Number(document.slice(1)) % 2 === rest))
    const [even, odd] = [half(0), half(1)]
    if (even === odd) agreed++
    found += Number(even) + Number(odd)
  }
  const p = found / cell.studies / 2
  return { agreed: share(agreed, cell.studies), found: share(found, 2 * cell.studies), expected: p ** 2 + (1 - p) ** 2 }
}
