/**
 * Shares of claims that pass: of the SAE under test, and of each baseline by the same rule.
 *
 * The interval of their difference is Newcombe's, with claims as units. The question is about latents: would others of this SAE,
 * and other draws of the baseline, differ as much? Documents are drawn again within each verdict, whose bounds are over
 * documents; drawing them again for the share would ask it of the very latents at hand.
 *
 * What is said of a baseline follows from that interval alone: ahead where it lies above 0, not ahead where it leaves no room for
 * an advantage that matters, and undecided between, however the shares themselves stand. A baseline of few claims thus decides
 * nothing; one whose share is level or better keeps the whole from being called ahead until more claims tell.
 */
import { newcombe } from '../../statistics/intervals/newcombe.ts'
import { benjaminiHochberg } from '../../statistics/multiplicity/false-discovery.ts'
import type { BaselineName, BaselinesFindings } from '../contracts/baselines.ts'
import type { EffectRow, Intervention } from '../rows.ts'
import { analyseIntervention } from './analyse.ts'
import type { AssembleSettings } from './assemble.ts'
import { causalVerdict, selectivityVerdict } from './verdict.ts'

/** The least difference of shares that is an advantage: an SAE that may be ahead by less only is not ahead. */
const smallestAdvantage = 0.1

/** A claim of a baseline: all that its verdict follows from. */
export interface BaselineClaim {
  readonly baseline: BaselineName
  readonly repetition: number
  readonly latent: number
  readonly concept: string | null
  readonly intervention: string
  readonly dose: number
  readonly documents: readonly string[]
  /** Effect on the target in each document. */
  readonly own: readonly number[]
  /** Mean effect of each tied control; fewer than the claim asks for where these kept it from passing. */
  readonly tied: readonly number[]
  /** Effects of each control in each document, control by control; empty where not measured. */
  readonly random: readonly number[]
  readonly foreign: readonly number[]
  /** Controls that the claim asks for: tied, random, foreign. Those of them that are not here count as having reached as far. */
  readonly asked: readonly number[]
  /** Selectivity; null where the claim names no concept, or did not come so far. */
  readonly auroc: number | null
  readonly aurocLow: number | null
  readonly aurocHigh: number | null
  readonly aurocP: number | null
  readonly shuffles: number
}

/** Which claims of one SAE pass, in the order given: the rule of every other verdict, on what the rows keep. */
export function passes(claims: readonly BaselineClaim[], settings: AssembleSettings): boolean[] {
  const causal = claims.map(claim =>
    analyseIntervention(
      { feature: claim.latent, dose: claim.dose, controls: askedOf(claim) },
      effectsOf(claim),
      claim.intervention as Intervention,
      { ...settings, family: claims.length },
      settings.seed,
    ),
  )
  const q = benjaminiHochberg(causal.map(found => found?.test.p ?? 1))
  // Claims that were not looked at are no part of this family: that favours the baseline.
  const told = claims.map(({ aurocP }) => aurocP)
  const toldQ = benjaminiHochberg(told.filter(p => p !== null))
  let place = 0
  const selectivityQ = told.map(p => (p === null ? null : toldQ[place++]!))
  return claims.map((claim, i) => {
    const found = causal[i]
    const tested = found && { ...found, test: { ...found.test, q: q[i]!, size: claims.length } }
    const claimed = claim.concept !== null || settings.claims !== 'concept'
    if (causalVerdict(tested ?? null, settings, claimed).verdict !== 'pass') return false
    if (claim.concept === null) return true
    const { concept, auroc, aurocLow: low, aurocHigh: high, aurocP: p, shuffles } = claim
    const nullMaxima = new Array<number>(shuffles).fill(0)
    return (
      selectivityVerdict({ concept, auroc, low, high, p, q: selectivityQ[i]!, nullMaxima }, settings).verdict === 'pass'
    )
  })
}

const askedOf = ({ asked: [tied = 0, random = 0, foreign = 0] }: BaselineClaim) => ({ tied, random, foreign })

/** A claim's values as the rows that every statistic is made of. */
function effectsOf(claim: BaselineClaim): EffectRow[] {
  const { latent: feature, intervention, dose, documents, own, tied } = claim
  const rowOf = (
    control: EffectRow['control'],
    controlId: number | null,
    document: string,
    target: number,
  ): EffectRow => ({
    ...{ feature, intervention: intervention as Intervention, dose, control, controlId, document, window: document },
    ...{ positions: 1, norm: 0, target, loss: 0, kl: 0 },
  })
  const paired = (kind: 'random' | 'foreign') =>
    claim[kind].map((value, i) =>
      rowOf(kind, Math.floor(i / documents.length), documents[i % documents.length]!, value),
    )
  return [
    ...documents.map((document, d) => rowOf('feature', null, document, own[d]!)),
    ...paired('random'),
    ...paired('foreign'),
    ...tied.map((value, id) => rowOf('tied', id, '', value)),
  ]
}

/** What the study says; null where the SAE under test has no claims. */
export function judgeBaselines(
  rows: readonly BaselineClaim[],
  verdicts: readonly string[],
  texts: Readonly<Record<BaselineName, string>>,
  settings: AssembleSettings,
): BaselinesFindings | null {
  if (verdicts.length === 0 || rows.length === 0) return null
  const trained = shareOf(verdicts.map(verdict => verdict === 'pass'))
  const beside = (passed: readonly boolean[]) => {
    const share = shareOf(passed)
    const { estimate, low, high } = newcombe(
      ...([trained.passed, trained.claims, share.passed, share.claims, 1 - settings.alpha] as const),
    )
    return { ...share, difference: estimate, low, high, ahead: aheadBy(low, high) }
  }
  const names = [...new Set(rows.map(({ baseline }) => baseline))]
  const baselines = names.map(name => {
    const own = rows.filter(({ baseline }) => baseline === name)
    const draws = [...new Set(own.map(({ repetition }) => repetition))].map(draw =>
      passes(
        own.filter(({ repetition }) => repetition === draw),
        settings,
      ),
    )
    return {
      name,
      text: texts[name],
      ...beside(draws.flat()),
      repetitions: draws.map(draw => ({ claims: draw.length, passed: draw.filter(Boolean).length })),
      passes: draws.flat(),
    }
  })
  const together = beside(baselines.flatMap(({ passes }) => passes))
  const found = {
    ahead: aheadOfAll(together, baselines),
    trained,
    together,
    baselines: baselines.map(({ passes: _, ...one }) => one),
  }
  return { summary: summaryOf(found), ...found }
}

function shareOf(passed: readonly boolean[]) {
  const count = passed.filter(Boolean).length
  return { claims: passed.length, passed: count, share: passed.length > 0 ? count / passed.length : null }
}

/** Whether a share is ahead of another by the interval of their difference. */
function aheadBy(low: number, high: number): BaselinesFindings['ahead'] {
  if (low > 0) return 'yes'
  return high < smallestAdvantage ? 'no' : 'undecided'
}

type Beside = Pick<BaselinesFindings['together'], 'ahead' | 'difference'>

/** Of all: no where it is of any; yes where it is of all together, and no single share is level. */
function aheadOfAll(together: Beside, baselines: readonly Beside[]): BaselinesFindings['ahead'] {
  if (baselines.some(({ ahead }) => ahead === 'no')) return 'no'
  return together.ahead === 'yes' && baselines.some(isLevel) ? 'undecided' : together.ahead
}

const isLevel = ({ difference }: Beside) => difference !== null && difference <= 0

/** What is to be said first: where the SAE is not ahead, of which baselines. */
function summaryOf({ ahead, trained, together, baselines }: Omit<BaselinesFindings, 'summary'>): string {
  const count = ({ passed, claims }: { passed: number; claims: number }) => `${passed} of ${claims}`
  const list = (of: BaselinesFindings['baselines']) => of.map(one => `${one.text} (${count(one)})`).join(', ')
  const own = `${count(trained)} claims pass`
  const behind = baselines.filter(one => one.ahead === 'no')
  if (behind.length > 0) return `NOT AHEAD: ${own}; no more than of ${list(behind)}`
  if (ahead === 'no') return `NOT AHEAD: ${own}; no more than of all baselines together (${count(together)})`
  if (ahead === 'yes') return `ahead: ${own}, and ${count(together)} of baselines: ${list(baselines)}`
  const level = baselines.filter(isLevel)
  const named = level.map(({ text }) => text).join(' and ')
  const levelWith = level.length === baselines.length ? 'of each of them' : `of ${named}`
  const told = level.length > 0 ? `; as large a share ${levelWith}` : ''
  return `not shown to be ahead: ${own}, and ${count(together)} of baselines, too few to tell: ${list(baselines)}${told}`
}
