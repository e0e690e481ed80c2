/** From raw values to evidence: a pure function, so that `recompute` can hold a file of evidence to its tables. */
import { Random } from '../../core/random.ts'
import type { Claim, FeatureEvidence, InterventionEvidence } from '../evidence.ts'
import { type EffectRow, fewestDocuments, type Measured } from '../rows.ts'
import { type AnalysisSettings, analyseIntervention, finite, sampleOf, summarise } from './analyse.ts'
import { heldStrata } from './conditions.ts'
import { analyseDoses } from './doses.ts'
import { familyQ } from './family.ts'
import { detectableEffect, powerOfRule } from './rule.ts'
import { analyseSelectivity, decideSelectivity } from './selectivity.ts'
import { analyseStrata } from './strata.ts'
import { tierOf } from './tier.ts'
import { byDocument, groupRows } from './values.ts'
import { causalVerdict, type Decision, notHeld, overall } from './verdict.ts'

export interface AssembleSettings extends AnalysisSettings {
  readonly minimumAuroc: number
  readonly claims: 'auto' | 'concept' | 'firing'
  readonly fields: readonly string[]
  readonly strata: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly seed: number
}

/** Evidence of all latents: their statistics, q-values over the family, verdicts. */
export function assemble(measured: readonly Measured[], given: AssembleSettings): FeatureEvidence[] {
  const shared = { ...given, family: measured.length }
  const { seed } = shared
  // Rows are made anew whenever they are asked for, and none is kept: all rows of many latents are too many.
  const parts = measured.map(({ claim, rows, selectivity, nullMaxima }) => ({
    claim,
    settings: settingsOf(claim, shared),
    ablate: analyseIntervention(claim, rows, 'ablate', settingsOf(claim, shared), seed),
    steer: analyseIntervention(claim, rows, 'steer', settingsOf(claim, shared), seed),
    selectivity: analyseSelectivity(claim, selectivity, nullMaxima, settingsOf(claim, shared)),
  }))
  const ablateQ = familyQ(parts.map(part => part.ablate?.test.p ?? null))
  const steerQ = familyQ(parts.map(part => part.steer?.test.p ?? null))
  const selectivityQ = familyQ(parts.map(part => part.selectivity?.p ?? null))
  return parts.map(({ claim, settings, ...part }, i) => {
    const { rows } = measured[i]!
    const powered = (intervention: 'ablate' | 'steer', family: typeof ablateQ) => {
      const evidence = withQ(part[intervention], family, i)
      return evidence && claim.primary === intervention ? withPower(evidence, claim, rows, family, settings) : evidence
    }
    const ablate = powered('ablate', ablateQ)
    const steer = powered('steer', steerQ)
    const selectivity = part.selectivity && decideSelectivity(part.selectivity, selectivityQ.q[i]!, settings)
    const claimed = claim.concept !== null || claim.stated === 'file' || settings.claims !== 'concept'
    const causal = causalVerdict(claim.primary === 'ablate' ? ablate : steer, settings, claimed)
    const strataHeld = rows.length === 0 ? [] : heldStrata(claim, rows, settings.strata, settings)
    const decisions: Decision[] = [causal, ...notHeld(claim), ...(selectivity ? [selectivity] : []), ...strataHeld]
    const doses = analyseDoses(claim, rows, settings, seed)
    const sham = rows.filter(row => row.control === 'sham').map(row => row.kl!)
    const side = rows.filter(
      row => row.intervention === 'steer' && row.control === 'feature' && row.dose === claim.dose,
    )
    const known = {
      claim,
      verdict: overall(decisions),
      reasons: decisions.map(({ reason }) => reason),
      causal,
      selectivity,
      ablate,
      steer,
      doseCurve: doses.points,
      doseTrend: doses.trend,
      sideEffect:
        side.length === 0
          ? null
          : summarise(
              byDocument(side, [...new Set(side.map(({ document }) => document))], row => row.kl!),
              settings,
              seed,
              'side',
              claim.feature,
            ),
      sham: sham.length === 0 ? null : finite(Math.max(...sham)),
      robustness: analyseStrata(claim, rows, settings.strata, settings.fields, settings),
      strataHeld,
      falsifiers: [],
      studies: {},
    }
    return { ...known, tier: tierOf(known) }
  })
}

/** What the claim says stands over what settings say of all. */
function settingsOf({ alpha, power, smallestEffect }: Claim, shared: AssembleSettings): AssembleSettings {
  return { ...shared, alpha, power, smallestEffect }
}

function withQ(
  evidence: InterventionEvidence | null,
  { q, size }: ReturnType<typeof familyQ>,
  i: number,
): InterventionEvidence | null {
  return evidence && { ...evidence, test: { ...evidence.test, q: q[i]!, size } }
}

/** The power of the rule on the primary intervention, at what the other claims leave of alpha. */
function withPower(
  evidence: InterventionEvidence,
  claim: Claim,
  rows: readonly EffectRow[],
  { q, size }: ReturnType<typeof familyQ>,
  settings: AssembleSettings,
): InterventionEvidence {
  const { alpha, smallestEffect, seed } = settings
  if (evidence.metrics.target.controls.length === 0 || evidence.metrics.target.effect.documents < fewestDocuments)
    return evidence
  const passed = q.filter(value => value !== null && value <= alpha).length
  // Benjamini and Hochberg's procedure lets the claim pass at this p, the others' being what they are.
  const found = evidence.test.q !== null && evidence.test.q <= alpha
  const effectiveAlpha = (alpha * Math.min(size, found ? passed : passed + 1)) / size
  const sample = sampleOf(groupRows(rows, claim.primary, evidence.dose), claim, evidence.test.direction)
  const rule = { alpha, smallestEffect, effectiveAlpha }
  const random = () => new Random(seed, 'power', claim.feature)
  return {
    ...evidence,
    power: {
      effectiveAlpha,
      atSmallestEffect: powerOfRule(sample, rule, smallestEffect, random()),
      minimumDetectableEffect: detectableEffect(sample, rule, settings.power, random()),
    },
  }
}
