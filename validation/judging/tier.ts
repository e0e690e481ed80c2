/**
 * Tiers of evidence, a pure function of what evidence.json says of a feature.
 *
 * proposed: nothing was measured. refuted: the verdict is fail. underdetermined: inconclusive, and the latent does not rank
 * among its controls by itself. suggestive: inconclusive, but it ranks (p ≤ α before the correction for other claims) and its
 * effect is on the claimed side over documents. supported: the verdict is pass. triangulated: supported, the other
 * intervention and two more lines of evidence hold, none contradicts, and in no stratum is the effect the other way. A pass that
 * does not stand in the ledger has the tier of an inconclusive verdict there.
 */

import { reversedStrata } from '../contracts/flags.ts'
import type { Change, Line, TierFound } from '../contracts/tier.ts'
import type { Comparison, FeatureEvidence } from '../evidence.ts'
import { fewestDocuments } from '../rows.ts'

/** Lines besides the other intervention that must hold. */
const furtherLines = 2

type Untiered = Omit<FeatureEvidence, 'tier'>

/** The tier of a feature, by which rule, and what would change it. */
export function tierOf(feature: Untiered): TierFound {
  const lines = linesOf(feature)
  const { verdict } = feature
  if (verdict === 'not-run') return { tier: 'proposed', rule: 'not-measured', lines, wouldChange: measuring(feature) }
  if (verdict === 'fail') return { tier: 'refuted', rule: refutedBy(feature), lines, wouldChange: unrefuting(feature) }
  if (verdict === 'inconclusive') {
    const tier = undecidedTier(feature)
    return {
      tier,
      rule: tier === 'suggestive' ? 'ranks-before-correction' : 'does-not-rank',
      lines,
      wouldChange: deciding(feature),
    }
  }
  const contradicted = lines.some(({ state }) => state === 'contradicts')
  const other = lines.find(({ line }) => line === 'other-intervention')?.state === 'holds'
  const further = lines.filter(({ line, state }) => line !== 'other-intervention' && state === 'holds').length
  const reversed = reversedStrata(feature.studies)
  const triangulated = !contradicted && reversed.length === 0 && other && further >= furtherLines
  const losing = lines
    .filter(({ state }) => state === 'holds')
    .map(({ line, path, value }) =>
      line === 'other-intervention'
        ? change('supported', path, value, 'above', feature.claim.alpha)
        : change('supported', path, value, 'is', words[line].contradicts),
    )
  const against = reversed.map(({ field, value, high }) =>
    change('triangulated', `studies.heterogeneity.fields.${field}=${value}.high`, high, 'above', 0),
  )
  const short = reversed.length > 0 ? 'a-stratum-reverses' : 'lines-missing'
  return {
    tier: triangulated ? 'triangulated' : 'supported',
    rule: triangulated ? 'lines-agree' : contradicted ? 'a-line-contradicts' : short,
    lines,
    wouldChange: triangulated ? losing : [...against, ...agreeing(feature, lines)],
  }
}

/** The tier of a feature whose verdict is inconclusive, or comes to be: a pass that does not stand among all runs of the SAE. */
export function undecidedTier(feature: Untiered): 'suggestive' | 'underdetermined' {
  return ranksAlone(feature) ? 'suggestive' : 'underdetermined'
}

/** What a line says where it holds, and where it contradicts. */
const words = {
  'out-of-distribution': { holds: 'pass', contradicts: 'fail' },
  specificity: { holds: true, contradicts: false },
  'within-token': { holds: 'beyond-token', contradicts: 'token' },
  sufficiency: { holds: true, contradicts: false },
} as const

/** Lines of evidence that do not rest on the main test's edits and documents, or on its direction alone. */
function linesOf(feature: Untiered): Line[] {
  const { claim, studies } = feature
  const other = claim.primary === 'ablate' ? 'steer' : 'ablate'
  const test = feature[other]?.test
  const effect = feature[other]?.metrics.target.effect
  const sided = (low: number | null, high: number | null) => {
    if (low === null || high === null || !test) return undefined
    const [near, far] = test.direction === 'increase' ? [low, high] : [-high, -low]
    return near > 0 ? true : far < 0 ? false : undefined
  }
  const onSide = effect && sided(effect.low, effect.high)
  const ranked = test?.q !== null && test?.q !== undefined && test.q <= claim.alpha
  const finding = studies.association === null ? null : studies.association?.finding
  return [
    {
      line: 'other-intervention',
      state: !test ? 'not-asked' : onSide === false ? 'contradicts' : onSide && ranked ? 'holds' : 'undecided',
      path: `${other}.test.q`,
      value: test?.q ?? null,
    },
    {
      line: 'out-of-distribution',
      state: stateOf(studies.transfer === null ? null : studies.transfer?.verdict, words['out-of-distribution']),
      path: 'studies.transfer.verdict',
      value: studies.transfer?.verdict ?? null,
    },
    {
      line: 'specificity',
      state: stateOf(studies.specificity === null ? null : studies.specificity?.isolated, words.specificity),
      path: 'studies.specificity.isolated',
      value: studies.specificity?.isolated ?? null,
    },
    {
      line: 'within-token',
      state: finding === 'as-random-directions' ? 'contradicts' : stateOf(finding, words['within-token']),
      path: 'studies.association.finding',
      value: finding ?? null,
    },
    {
      line: 'sufficiency',
      state: stateOf(studies.interchange === null ? null : studies.interchange?.sufficiency.found, words.sufficiency),
      path: 'studies.interchange.sufficiency.found',
      value: studies.interchange?.sufficiency.found ?? null,
    },
  ]
}

/** Undefined: the study was not done; null or another word: it could not tell. */
function stateOf(
  value: Line['value'] | undefined,
  { holds, contradicts }: Readonly<Record<'holds' | 'contradicts', string | boolean>>,
): Line['state'] {
  if (value === undefined) return 'not-asked'
  return value === holds ? 'holds' : value === contradicts ? 'contradicts' : 'undecided'
}

const primaryOf = (feature: Untiered) => feature[feature.claim.primary]

function ranksAlone(feature: Untiered): boolean {
  const primary = primaryOf(feature)
  const effect = primary?.metrics.target.effect
  if (!primary || effect?.low == null || effect.high === null || primary.test.p === null) return false
  const near = primary.test.direction === 'increase' ? effect.low : -effect.high
  return primary.test.p <= feature.claim.alpha && near > 0
}

/** The bound of a comparison that is nearer to none, in the claimed direction, and the farther one. */
function boundsOf(feature: Untiered, { low, high }: Comparison): { near: number | null; far: number | null } {
  return primaryOf(feature)?.test.direction === 'increase'
    ? { near: low, far: high }
    : { near: high === null ? null : -high, far: low === null ? null : -low }
}

function measuring({ claim }: Untiered): Change[] {
  const value = claim.documents[claim.primary].length
  return [
    {
      to: 'underdetermined',
      path: `claim.documents.${claim.primary}.length`,
      value,
      needs: 'above',
      threshold: fewestDocuments - 1,
    },
  ]
}

function refutedBy({ causal, selectivity, strataHeld, falsifiers }: Untiered): string {
  if (causal.verdict === 'fail') return 'no-effect'
  if (selectivity?.verdict === 'fail') return 'not-selective'
  if (strataHeld.some(({ verdict }) => verdict === 'fail')) return 'a-stratum-fails'
  return falsifiers.some(({ state }) => state === 'found') ? 'a-falsifier-is-found' : 'no-effect'
}

function unrefuting(feature: Untiered): Change[] {
  const { claim, causal, selectivity, strataHeld, falsifiers } = feature
  const found: Change[] = []
  if (causal.verdict === 'fail')
    for (const control of primaryOf(feature)?.metrics.target.controls ?? []) {
      const { far } = boundsOf(feature, control)
      if (far !== null && far < claim.smallestEffect)
        found.push(
          change(
            'underdetermined',
            `${claim.primary}.metrics.target.controls.${control.control}`,
            far,
            'above',
            claim.smallestEffect,
          ),
        )
    }
  if (causal.verdict === 'fail' && found.length === 0)
    found.push(
      change(
        'underdetermined',
        `${claim.primary}.power.atSmallestEffect`,
        primaryOf(feature)?.power?.atSmallestEffect ?? null,
        'below',
        claim.power,
      ),
    )
  if (selectivity?.verdict === 'fail')
    found.push(change('supported', 'selectivity.q', selectivity.q, 'at most', claim.alpha))
  for (const { field, value, verdict, difference } of strataHeld)
    if (verdict === 'fail')
      found.push(change('supported', `strataHeld.${field}=${value}`, difference, 'above', claim.smallestEffect))
  for (const { falsifier, value, state } of falsifiers)
    if (state === 'found') found.push(change('supported', falsifier.path, value, 'is', 'absent'))
  return found
}

function deciding(feature: Untiered): Change[] {
  const { claim, selectivity, strataHeld, falsifiers } = feature
  const primary = primaryOf(feature)
  const found: Change[] = []
  if (primary && feature.causal.verdict !== 'pass') {
    if (primary.test.q === null || primary.test.q > claim.alpha)
      found.push(change('supported', `${claim.primary}.test.q`, primary.test.q, 'at most', claim.alpha))
    for (const control of primary.metrics.target.controls) {
      const { near } = boundsOf(feature, control)
      if (near === null || near <= claim.smallestEffect)
        found.push(
          change(
            'supported',
            `${claim.primary}.metrics.target.controls.${control.control}`,
            near,
            'above',
            claim.smallestEffect,
          ),
        )
    }
    if (primary.power)
      found.push(
        change(
          'refuted',
          `${claim.primary}.power.atSmallestEffect`,
          primary.power.atSmallestEffect,
          'above',
          claim.power,
        ),
      )
  }
  if (selectivity && selectivity.verdict !== 'pass')
    found.push(change('supported', 'selectivity.verdict', selectivity.verdict, 'is', 'pass'))
  for (const { field, value, verdict } of strataHeld)
    if (verdict !== 'pass') found.push(change('supported', `strataHeld.${field}=${value}`, verdict, 'is', 'pass'))
  for (const { falsifier, state } of falsifiers)
    if (state === 'undecided') found.push(change('supported', falsifier.path, null, 'is', 'measured'))
  return found
}

/** Lines that would have to hold for a supported claim to be triangulated. */
function agreeing(feature: Untiered, lines: readonly Line[]): Change[] {
  return lines
    .filter(({ state }) => state !== 'holds')
    .map(({ line, path, value }) =>
      line === 'other-intervention'
        ? siding(feature, path, value)
        : change('triangulated', path, value, 'is', words[line].holds),
    )
}

/** What the other intervention lacks: a rank far enough, or else an interval on the claimed side. */
function siding(feature: Untiered, path: string, q: Line['value']): Change {
  const { claim } = feature
  if (typeof q !== 'number' || q > claim.alpha) return change('triangulated', path, q, 'at most', claim.alpha)
  const other = claim.primary === 'ablate' ? 'steer' : 'ablate'
  const effect = feature[other]?.metrics.target.effect
  const at = `${other}.metrics.target.effect`
  return feature[other]?.test.direction === 'increase'
    ? change('triangulated', `${at}.low`, effect?.low ?? null, 'above', 0)
    : change('triangulated', `${at}.high`, effect?.high ?? null, 'below', 0)
}

function change(
  to: Change['to'],
  path: string,
  value: Change['value'],
  needs: Change['needs'],
  threshold: Change['threshold'],
): Change {
  return { to, path, value, needs, threshold }
}
