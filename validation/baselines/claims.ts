/**
 * Puts a baseline to the test of the SAE under test: claims chosen, written and measured alike, and raw values from which the
 * same rule decides.
 *
 * Most claims of a baseline are beaten by a few controls already. A claim that a few of its tied controls keep from passing,
 * however all others came out, is not measured further, so that decisions are those of the whole test at a part of its cost.
 */
import { silent } from '../../core/progress.ts'
import type { StageContext } from '../../core/stage.ts'
import type { Working } from '../../core/working.ts'
import { encodeValues, recentre, type SiteValues } from '../../latents/projections.ts'
import type { Sae } from '../../sae/sae.ts'
import { mean } from '../../statistics/descriptive.ts'
import { chooseLatents } from '../claims/choose.ts'
import { judgeLatents } from '../claims/labelled-text.ts'
import { type LatentPlan, type Material, planLatent } from '../claims/plan.ts'
import { inputCentre, type TiedSource, tiedSource } from '../claims/tied.ts'
import { tiedControlCount } from '../config.ts'
import type { BaselineName } from '../contracts/baselines.ts'
import type { ValidateInputs } from '../inputs.ts'
import { directionOf } from '../judging/analyse.ts'
import type { BaselineClaim } from '../judging/baselines.ts'
import { analyseSelectivity } from '../judging/selectivity.ts'
import { groupRows } from '../judging/values.ts'
import { readText } from '../read-text.ts'
import type { Measured } from '../rows.ts'
import { testLatents } from '../test-latents.ts'
import type { Baseline, BaselineSource, MadeBaseline } from './baseline.ts'

/** One claim of a baseline. Values are rounded as the table keeps them, so that what is judged is what is kept. */
export type BaselineRow = { readonly [Key in keyof BaselineClaim]: BaselineClaim[Key] }

/** What the test is done with. */
interface Bench {
  readonly context: StageContext
  readonly inputs: ValidateInputs
  readonly working: Working
}

/** Tied controls after which claims that cannot pass any more are dropped: where rounds end, so that none is measured twice. */
const looks = [20, 50]

/** Claims of one draw of a baseline, `claims` of them at most. */
export async function measureBaseline(
  { context, inputs, working }: Bench,
  source: BaselineSource,
  { name, baseline, claims }: { readonly name: BaselineName; readonly baseline: Baseline; readonly claims: number },
): Promise<BaselineRow[]> {
  const quiet = { ...context, progress: silent }
  const made = await baseline.make(source)
  try {
    const own = await materialOf(quiet, inputs, source, made)
    const { text, discovery } = own
    const chosen = chooseLatents(claims, text.candidates, discovery, text.discoveryLabels, text.aurocs)
    const count = tiedControlCount(own.config.controls.tied, chosen.length, own.config.alpha)
    const material: Material = { ...own, claims: chosen.length, tied: { ...own.tied, count, losses: false } }
    const plans = chosen.map(candidate => primaryOnly(planLatent(material, candidate)))
    const rounds = { working: working.within('tied'), known: new Map() }
    const test = (tested: readonly LatentPlan[], tied: number, part: string) =>
      testLatents(
        quiet,
        { material: { ...material, tied: { ...material.tied, count: tied } }, plans: tested },
        working.within(part),
        rounds,
      )
    const found = new Map<number, Measured>()
    let left = plans
    for (const tied of looks) {
      if (left.length === 0 || tied >= count) continue
      // No other control and no label is looked at yet.
      const some = left.map(plan => ({ ...plan, controls: {}, concept: -1 }))
      for (const one of await test(some, tied, `tied-${tied}`)) found.set(one.claim.feature, one)
      left = left.filter(({ claim }) => mayPass(found.get(claim.feature)!, count, material.config.alpha))
    }
    if (left.length > 0) for (const one of await test(left, count, 'all')) found.set(one.claim.feature, one)
    return plans.map(({ claim }) => rowOf(found.get(claim.feature)!, material, { name, repetition: source.repetition }))
  } finally {
    made.dispose()
  }
}

/** The plan without what no verdict rests on: the other intervention, and other doses. */
function primaryOnly(plan: LatentPlan): LatentPlan {
  const { claim, documents } = plan
  const empty = claim.primary === 'ablate' ? { steer: [] } : { ablate: [] }
  return { ...plan, claim: { ...claim, doses: [claim.dose] }, documents: { ...documents, ...empty } }
}

/** Whether a claim with these of its `count` tied controls measured may still rank far enough among all of them. */
function mayPass({ claim, rows }: Measured, count: number, alpha: number): boolean {
  const grouped = groupRows(rows, claim.primary, claim.primary === 'ablate' ? 0 : claim.dose)
  if (grouped.documents.length === 0) return false
  const sign = directionOf(claim.primary, claim.dose) === 'decrease' ? -1 : 1
  const effect = sign * mean(grouped.own.target)
  const asFar = (grouped.controls.get('tied') ?? []).filter(({ target }) => sign * mean(target) >= effect).length
  return (1 + asFar) / (count + 1) <= alpha
}

/** What the claims of a baseline are made of: its own model and text where it has one, else values that were read before. */
async function materialOf(
  context: StageContext,
  inputs: ValidateInputs,
  source: BaselineSource,
  { sae, model, firesAlike }: MadeBaseline,
): Promise<Omit<Material, 'claims'>> {
  const { material } = source
  const config = { ...material.config, doses: [] }
  const decoderOf = (): Float32Array => {
    const decoder = sae.decoder()
    const values = decoder.dataSync<'float32'>().slice() as Float32Array
    decoder.dispose()
    return values
  }
  if (firesAlike) return { ...material, config, sae, decoder: decoderOf() }
  if (model) {
    const windows = {
      discovery: material.discovery.windows,
      validation: material.validation.windows,
      outOfDistribution: [],
    }
    const { siteValues, ...read } = await readText(context, { ...inputs, model, sae, config }, windows)
    return { ...read, tied: tiedSource(sae, siteValues, material.tied.count) }
  }
  const centre = inputCentre(sae)
  const at = (values: SiteValues) => recentre(values, source.centre, centre)
  const tied: TiedSource = {
    ...material.tied,
    discovery: at(source.values),
    validation: at(recentre(material.tied.validation, inputCentre(material.sae), source.centre)),
    value: activationKind(sae),
  }
  const discovery = encodeValues(sae, tied.discovery, centre)
  const validation = encodeValues(sae, tied.validation, centre)
  const text = { ...material.text, ...judgeLatents(material.text, discovery, validation) }
  return { ...material, config, sae, decoder: decoderOf(), discovery, validation, outOfDistribution: null, text, tied }
}

const activationKind = ({ architecture }: Sae): TiedSource['value'] =>
  architecture === 'standard' ? 'excess' : 'projection'

/** A claim's row. Selectivity is judged only of claims that all controls were measured of. */
function rowOf(
  { claim, rows, selectivity, nullMaxima }: Measured,
  { config }: Material,
  { name, repetition }: { readonly name: BaselineName; readonly repetition: number },
): BaselineRow {
  const dose = claim.primary === 'ablate' ? 0 : claim.dose
  const { documents, own, controls } = groupRows(rows, claim.primary, dose)
  const rounded = (values: readonly number[]) => values.map(Math.fround)
  const paired = (kind: string) => (controls.get(kind) ?? []).flatMap(({ target }) => rounded(target))
  const told = selectivity.length > 0 ? analyseSelectivity(claim, selectivity, nullMaxima, config) : null
  return {
    baseline: name,
    repetition,
    latent: claim.feature,
    concept: claim.concept,
    intervention: claim.primary,
    dose,
    documents,
    own: rounded(own.target),
    tied: (controls.get('tied') ?? []).map(({ target }) => Math.fround(mean(target))),
    random: paired('random'),
    foreign: paired('foreign'),
    asked: ['tied', 'random', 'foreign'].map(kind => claim.controls[kind] ?? 0),
    auroc: told?.auroc ?? null,
    aurocLow: told?.low ?? null,
    aurocHigh: told?.high ?? null,
    aurocP: told?.p ?? null,
    shuffles: told?.nullMaxima.length ?? 0,
  }
}
