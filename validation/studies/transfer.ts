/**
 * Does the latent do on out-of-distribution text what it does on validation text? The primary intervention is measured on
 * documents of that split, drawn as those of validation are, with some of the controls of equal norm.
 */

import { interventionsAt } from '../../latents/interventions.ts'
import { mean } from '../../statistics/descriptive.ts'
import { meanRatio } from '../../statistics/intervals/ratio.ts'
import { drawFor } from '../claims/claims.ts'
import { mainEdits } from '../claims/edits.ts'
import type { LatentPlan } from '../claims/plan.ts'
import type { Transfer } from '../contracts/transfer.ts'
import type { ControlDirections, ControlKind } from '../controls/index.ts'
import type { Claim } from '../evidence.ts'
import { summarise } from '../judging/analyse.ts'
import type { AssembleSettings } from '../judging/assemble.ts'
import type { MeanInterval } from '../judging/interval.ts'
import { pairedDifference } from '../judging/paired.ts'
import { groupRows, isPaired } from '../judging/values.ts'
import { measureLatent } from '../measure-latent.ts'
import { sourcesOf } from '../measure-plan.ts'
import { type EffectRow, fewestDocuments } from '../rows.ts'
import { measuredColumns } from '../tables.ts'
import { latentStudy, type StudyContext, type TestedLatent } from './study.ts'

/** Controls of each kind: their mean is what is taken off, so that a few do. */
const mostControls = 19

/** A raw effect on an out-of-distribution window. */
export type TransferRow = Pick<
  EffectRow,
  | 'intervention'
  | 'dose'
  | 'control'
  | 'controlId'
  | 'document'
  | 'window'
  | 'positions'
  | 'norm'
  | 'target'
  | 'loss'
  | 'kl'
> &
  Readonly<Record<string, string | number | null>>

export const transfer = latentStudy<TransferRow, Transfer>({
  name: 'transfer',
  question: 'Does the latent do on out-of-distribution text what it does on validation text?',
  byDefault: true,
  definitions: {
    difference:
      'mean over documents of the latent’s effect on the target less the mean effect of controls of equal norm on the same document, of the kind that leaves least of it',
    ratio:
      'difference on out-of-distribution text / difference on validation text, with Fieller’s interval over the documents of both',
    verdict:
      'pass where the interval of the difference lies beyond the smallest effect of interest in the claimed direction, fail where it lies short of it',
  },
  columns: measuredColumns,
  measure,
  judge: (tested, settings) => tested.map(one => judgeOne(one, settings)),
})

async function measure({ material, pause }: StudyContext, plan: LatentPlan): Promise<readonly TransferRow[]> {
  const { outOfDistribution, model, sae, config, seed, unitOf, decoder } = material
  const { claim, target } = plan
  const { feature, primary } = claim
  const tested = claim.documents[primary].length >= fewestDocuments && claim.discovery.unit > 0
  if (outOfDistribution === null || !tested) return []
  const drawn = drawFor[primary](outOfDistribution, feature, { ...config, seed, lot: feature, unitOf })
  const edits = mainEdits(config)
  const interventions = interventionsAt(model, sae.metadata.hook_name)
  const { rows } = await measureLatent(
    interventions,
    {
      claim,
      looks: false,
      feature,
      direction: decoder.slice(feature * sae.width, (feature + 1) * sae.width),
      controls: fewControls(plan.controls, sae.width),
      target,
      ablate: primary === 'ablate' ? drawn : [],
      steer: primary === 'steer' ? drawn : [],
      primary,
      doses: [claim.dose],
      dose: claim.dose,
      tied: 0,
      batchTokens: config.batchTokens,
      edits,
      sourceOf: sourcesOf(material, plan, Object.values(edits), outOfDistribution),
    },
    { onDocument: pause, pause },
  ).finally(() => interventions.dispose())
  return rows.flatMap(({ feature: _, ...row }) => (row.control === 'sham' ? [] : [row]))
}

/** The first controls of each kind. */
function fewControls(controls: LatentPlan['controls'], width: number): LatentPlan['controls'] {
  const cut = ({ directions, ids }: ControlDirections): ControlDirections => ({
    directions: directions.slice(0, mostControls * width),
    ids: ids.slice(0, mostControls),
  })
  return Object.fromEntries(Object.entries(controls).map(([kind, drawn]) => [kind as ControlKind, cut(drawn)]))
}

interface Difference {
  readonly control: string
  readonly controls: number
  readonly documents: readonly number[]
  readonly interval: MeanInterval
}

function judgeOne({ claim, rows, effects }: TestedLatent<TransferRow>, settings: AssembleSettings): Transfer | null {
  if (rows.length === 0) return null
  const { primary, feature } = claim
  const dose = primary === 'ablate' ? 0 : claim.dose
  const sign = claim.direction === 'decrease' ? -1 : 1
  const grouped = groupRows(
    rows.map(row => ({ feature, ...row })),
    primary,
    dose,
  )
  const kinds = [...grouped.controls].map(([control, each]): Difference => {
    const others = each.map(({ target }) => target)
    const { differences, interval } = pairedDifference(grouped.own.target, others, 1 - settings.alpha)
    return { control, controls: each.length, documents: differences, interval }
  })
  const hardest = kinds.reduce<Difference | undefined>(
    (worst, one) => (!worst || sign * mean(one.documents) < sign * mean(worst.documents) ? one : worst),
    undefined,
  )
  if (!hardest) return null
  const { seed, alpha } = settings
  const level = 1 - alpha
  const key = [seed, 'transfer', feature]
  const { interval } = hardest
  const there = onValidation(claim, effects, hardest)
  const ratio = there.length > 0 ? meanRatio(hardest.documents, there, level) : { ratio: null, low: null, high: null }
  return {
    intervention: primary,
    effect: summarise(grouped.own.target, settings, ...key, 'effect'),
    control: hardest.control,
    controls: hardest.controls,
    difference: interval.mean,
    low: interval.low,
    high: interval.high,
    interval: interval.method,
    validation: { documents: there.length, difference: there.length > 0 ? mean(there) : null },
    ratio: ratio.ratio,
    ratioLow: ratio.low,
    ratioHigh: ratio.high,
    ...decide(interval, hardest.documents.length, sign, settings),
  }
}

/** The difference by validation document from as many controls of that kind. */
function onValidation(claim: Claim, effects: readonly EffectRow[], { control, controls }: Difference): number[] {
  const dose = claim.primary === 'ablate' ? 0 : claim.dose
  const own = effects.filter(row => row.control === 'feature' || row.control === control)
  const grouped = groupRows(own, claim.primary, dose)
  const each = isPaired(control) ? (grouped.controls.get(control) ?? []).slice(0, controls) : []
  return each.length === 0 ? [] : grouped.own.target.map((value, d) => value - mean(each.map(one => one.target[d]!)))
}

function decide(
  { mean: difference, low, high }: { mean: number | null; low: number | null; high: number | null },
  documents: number,
  sign: number,
  { smallestEffect }: AssembleSettings,
): Pick<Transfer, 'verdict' | 'reason'> {
  if (difference === null || low === null || high === null)
    return { verdict: 'not-run', reason: `the latent has ${documents} out-of-distribution documents to be measured on` }
  const [from, to] = sign > 0 ? [low, high] : [-high, -low]
  const short = (value: number) => String(Number(value.toPrecision(3)))
  const found = `on out-of-distribution text ${short(sign * difference)} [${short(from)}, ${short(to)}] nats beyond the controls as claimed`
  if (from > smallestEffect) return { verdict: 'pass', reason: found }
  if (to < smallestEffect) return { verdict: 'fail', reason: `${found}, less than ${short(smallestEffect)}` }
  return { verdict: 'inconclusive', reason: `${found}, which includes ${short(smallestEffect)}` }
}
