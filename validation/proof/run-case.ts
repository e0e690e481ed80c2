/**
 * Puts what was planted to the product's own test: latents are chosen, claimed, measured and judged as `validate` does. A
 * run's claims are judged in families of the size that people test, each with as many controls as it asks for; measuring them
 * together says the same of each and takes less time.
 */
import { silent } from '../../core/progress.ts'
import { memoryMetrics, type StageContext } from '../../core/stage.ts'
import { Working } from '../../core/working.ts'
import type { LatentPlan } from '../claims/plan.ts'
import { controlCount, tiedControlCount, ValidateConfig } from '../config.ts'
import type { LatentFindings } from '../contracts/index.ts'
import type { FeatureEvidence } from '../evidence.ts'
import { checkInputs, type ValidateInputs } from '../inputs.ts'
import { assemble } from '../judging/assemble.ts'
import { readText } from '../read-text.ts'
import { splitText } from '../splits.ts'
import { judgeStudies, measureLatentStudies } from '../studies/run.ts'
import { type Planned, planLatents, testLatents } from '../test-latents.ts'
import type { Planted } from './case.ts'
import type { World } from './world.ts'

export interface RunSettings {
  readonly seed: number
  /** Claims of the run: a number that discovery text chooses, or latents by name. */
  readonly latents: number | readonly number[]
  /** Claims that are judged together. */
  readonly family: number
  /** Further settings of the validation. */
  readonly settings?: Readonly<Record<string, unknown>>
}

/** What a proof keeps of a claim. */
export interface ProvedClaim {
  readonly feature: number
  readonly concept: string | null
  readonly verdict: FeatureEvidence['verdict']
  /** All that a claim is made of must be significant, so its p is the largest (Berger 1982). Null where it was not measured. */
  readonly p: number | null
  /** Mean effect over documents, in the claimed direction. */
  readonly effect: number | null
}

/** A case whose claims are chosen, with what they were chosen from. */
export type PlannedCase = Planned & { readonly inputs: ValidateInputs }

/** The claims of a run, family by family. */
export type ProvedRun = readonly (readonly ProvedClaim[])[]

/** What is kept of a claim's evidence. */
export function proved({ claim, verdict, ablate, steer, selectivity }: FeatureEvidence): ProvedClaim {
  const evidence = claim.primary === 'ablate' ? ablate : steer
  const causal = evidence?.test.p ?? null
  const selective = selectivity ? selectivity.p : 0
  const mean = evidence?.metrics.target.effect.mean ?? null
  return {
    feature: claim.feature,
    concept: claim.concept,
    verdict,
    p: causal === null || selective === null ? null : Math.max(causal, selective),
    effect: mean === null ? null : claim.direction === 'decrease' ? -mean : mean,
  }
}

/** Nothing is kept: a proof that is cut begins again. */
class Unkept extends Working {
  override async part<T>(_name: string, make: () => T | Promise<T>): Promise<T> {
    return make()
  }
}

/** The claims of one run on what was planted. */
export async function runCase(world: World, planted: Planted, run: RunSettings): Promise<ProvedRun> {
  const families = await judgeFamilies(await planCase(world, planted, run), run)
  return families.map(family => family.map(proved))
}

/** Chooses and claims latents, with nothing measured. */
export async function planCase(
  world: World,
  planted: Planted,
  { seed, latents, family, settings = {} }: RunSettings,
): Promise<PlannedCase> {
  const { model, sae, dataset } = { ...world, ...defined(planted) }
  const controls = controlCount('auto', family, 0.05)
  const config = ValidateConfig.parse({
    ...{ doses: [1], bootstrap: 200, shuffles: controls, studies: [] },
    controls: { tied: tiedControlCount('auto', family, 0.05), random: controls, foreign: controls },
    ...world.settings,
    ...settings,
    ...planted.settings,
    latents,
  })
  const text = await splitText({ dataset, config }, seed)
  const inputs = { model, sae, dataset: text.dataset, config }
  await checkInputs(inputs)
  return {
    inputs,
    ...planLatents(inputs, await readText(contextOf(seed), inputs, text.windows)),
  }
}

/** What the studies that the case's settings ask for say of each feature. */
export async function studyFamilies(
  { inputs, material, plans }: PlannedCase,
  families: readonly (readonly FeatureEvidence[])[],
  { seed }: Pick<RunSettings, 'seed'>,
): Promise<Map<number, LatentFindings>> {
  const context = contextOf(seed)
  const bench = { context, inputs, material, plans, working: new Unkept(''), pause: async () => {} }
  const judged = families.flat().map(evidence => ({ evidence, effects: [] }))
  const settings = { ...material.config, fields: [], strata: {}, seed: material.seed }
  const { latents } = judgeStudies(await measureLatentStudies(bench), judged, settings)
  return new Map(judged.map(({ evidence }, i) => [evidence.claim.feature, latents[i]!]))
}

/** Measures the claims and judges them, so many at a time. */
export async function judgeFamilies(
  { material, plans }: Planned,
  { seed, family }: Pick<RunSettings, 'seed' | 'family'>,
): Promise<FeatureEvidence[][]> {
  const measured = await testLatents(contextOf(seed), { material, plans: measurable(plans) }, new Unkept(''))
  const families: FeatureEvidence[][] = []
  for (let start = 0; start + family <= measured.length; start += family)
    families.push(
      assemble(measured.slice(start, start + family), {
        ...material.config,
        fields: [],
        strata: {},
        seed: material.seed,
      }),
    )
  return families
}

/** Of steering only what the intervention itself does is asked here, which no verdict rests on: it is left out. */
function measurable(plans: readonly LatentPlan[]): LatentPlan[] {
  return plans.map(plan =>
    plan.claim.primary === 'ablate' ? { ...plan, documents: { ...plan.documents, steer: [] } } : plan,
  )
}

function contextOf(seed: number): StageContext {
  const signal = new AbortController().signal
  return { directory: '', seed, progress: silent, signal, metrics: memoryMetrics() }
}

function defined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>
}
