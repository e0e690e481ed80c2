/** The conditions that a claim states for itself: strata in which it must hold, and what would refute it. Pure. */
import type { FalsifierFound, StratumHeld } from '../contracts/conditions.ts'
import type { Claim, FeatureEvidence } from '../evidence.ts'
import type { EffectRow } from '../rows.ts'
import type { AnalysisSettings } from './analyse.ts'
import { pairedDifference } from './paired.ts'
import { groupRows, isPaired } from './values.ts'
import type { Decision } from './verdict.ts'

type Strata = Readonly<Record<string, Readonly<Record<string, string>>>>

const short = (value: number) => String(Number(value.toPrecision(3)))

/** Whether the claim holds in each stratum that it names, by the latent less the paired controls that leave least of it. */
export function heldStrata(
  claim: Claim,
  rows: readonly EffectRow[],
  strata: Strata,
  settings: AnalysisSettings,
): StratumHeld[] {
  const { documents, own, controls } = groupRows(rows, claim.primary, claim.primary === 'ablate' ? 0 : claim.dose)
  const sign = claim.direction === 'decrease' ? -1 : 1
  return Object.entries(claim.strata).flatMap(([field, values]) =>
    values.map((value): StratumHeld => {
      const places = [...documents.keys()].filter(d => strata[documents[d]!]?.[field] === value)
      const name = `${field} ${value}`
      const inside = (values: readonly number[]) => places.map(d => values[d]!)
      const kinds = [...controls].flatMap(([control, each]) => {
        if (!isPaired(control) || places.length === 0) return []
        const others = each.map(({ target }) => inside(target))
        return [{ control, ...pairedDifference(inside(own.target), others, 1 - settings.alpha).interval }]
      })
      const [hardest] = kinds.sort((a, b) => sign * (a.mean! - b.mean!))
      const empty = { field, value, documents: places.length }
      if (!hardest)
        return {
          ...{ ...empty, control: null, difference: null, low: null, high: null, verdict: 'inconclusive' },
          reason: `in ${name} there is nothing to measure the claim on`,
        }
      const { mean: difference, low, high } = hardest
      return {
        ...{ ...empty, control: hardest.control, difference, low, high },
        ...decide(name, sign, { difference, low, high }, places.length, settings.smallestEffect),
      }
    }),
  )
}

function decide(
  name: string,
  sign: number,
  { difference, low, high }: Pick<StratumHeld, 'difference' | 'low' | 'high'>,
  documents: number,
  smallestEffect: number,
): Decision {
  if (difference === null || low === null || high === null)
    return { verdict: 'inconclusive', reason: `in ${name} there are only ${documents} documents` }
  const [from, to] = sign > 0 ? [low, high] : [-high, -low]
  const found = `in ${name} ${short(sign * difference)} [${short(from)}, ${short(to)}] nats beyond the controls`
  if (from > smallestEffect) return { verdict: 'pass', reason: found }
  if (to < smallestEffect) return { verdict: 'fail', reason: `${found}, less than ${short(smallestEffect)}` }
  return { verdict: 'inconclusive', reason: `${found}, which includes ${short(smallestEffect)}` }
}

/** Looks for what the claim says would refute it. Findings of studies are part of the evidence. */
export function falsified(feature: FeatureEvidence): FalsifierFound[] {
  return feature.claim.falsifiers.map((falsifier): FalsifierFound => {
    const value = valueAt(feature, falsifier.path)
    const plain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null
    if (plain === null) return { falsifier, value: null, state: 'undecided' }
    const { is, above, below } = falsifier
    const found =
      is !== undefined
        ? plain === is
        : typeof plain === 'number' && (above !== undefined ? plain > above : plain < below!)
    return { falsifier, value: plain, state: found ? 'found' : 'absent' }
  })
}

function valueAt(value: unknown, path: string): unknown {
  let part = value
  for (const key of path.split('.')) {
    if (part === null || typeof part !== 'object') return undefined
    part = (part as Record<string, unknown>)[key]
  }
  return part
}

/** What a falsifier decides, or undefined where it is absent. */
export function falsifierDecision({ falsifier, value, state }: FalsifierFound): Decision | undefined {
  const { path, is, above, below } = falsifier
  const condition = is !== undefined ? `is ${is}` : above !== undefined ? `is above ${above}` : `is below ${below}`
  if (state === 'found')
    return { verdict: 'fail', reason: `${path} ${condition} (${value}), which the claim says refutes it` }
  if (state === 'undecided')
    return { verdict: 'inconclusive', reason: `nothing was found at ${path}, by which the claim wants to be judged` }
  return undefined
}
