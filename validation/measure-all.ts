/** All latents of a validation, one after the other, and the tied controls that some of them share. */
import { Random } from '../core/random.ts'
import { breathe, type StageContext } from '../core/stage.ts'
import type { Working } from '../core/working.ts'
import { throwIfInterrupted } from '../latents/activations.ts'
import { type Interventions, interventionsAt } from '../latents/interventions.ts'
import type { LatentPlan, Material, TiedLike } from './claims/plan.ts'
import { selectedDirections } from './claims/selected.ts'
import { randomUnits, tiedLatents } from './claims/tied.ts'
import { compactEffects, Effects, type PackedEffects, packEffects, unpackEffects } from './effects.ts'
import type { MeasureHooks } from './measure-latent.ts'
import { measurePlan } from './measure-plan.ts'
import { measureTied } from './measure-tied.ts'
import type { Round } from './rounds.ts'
import type { Measured } from './rows.ts'

/** Rounds of tied controls that were measured, by name, and where they are kept. */
export interface TiedRounds {
  readonly working: Working
  readonly known: Map<string, PackedEffects>
}

/** What all latents are measured with. */
interface Bench {
  readonly material: Material
  readonly interventions: Interventions
  readonly working: Working
  readonly rounds: TiedRounds
  pause(): Promise<void>
}

/**
 * Measures every planned latent and its tied controls; finished parts are kept, so that a cut run goes on behind them. `rounds` are
 * those of earlier measurements of the same material, if any.
 */
export async function measureAll(
  { progress, signal }: StageContext,
  material: Material,
  plans: readonly LatentPlan[],
  working: Working,
  rounds: TiedRounds = { working, known: new Map() },
): Promise<Measured[]> {
  const documentsOf = ({ documents }: LatentPlan) => documents.ablate.length + documents.steer.length
  progress.start(
    'Testing latents',
    plans.reduce((sum, plan) => sum + documentsOf(plan), 0),
    'documents',
  )
  const pause = async () => {
    await breathe()
    throwIfInterrupted(signal)
  }
  const interventions = interventionsAt(material.model, material.sae.metadata.hook_name)
  const bench: Bench = { material, interventions, working, rounds, pause }
  const measured: Measured[] = []
  let done = 0
  try {
    for (const plan of plans) {
      throwIfInterrupted(signal)
      let own = 0
      const onDocument = async () => {
        progress.update(done + ++own, `latent ${plan.claim.feature}`)
        await pause()
      }
      measured.push(await measureOne(bench, plan, { onDocument, pause }))
      done += documentsOf(plan)
      progress.update(done)
    }
  } finally {
    interventions.dispose()
  }
  progress.finish()
  return measured
}

/** One latent. Its rows are kept in columns, and made anew whenever they are asked for: all rows of many latents are too many. */
async function measureOne(bench: Bench, plan: LatentPlan, hooks: MeasureHooks): Promise<Measured> {
  const { claim } = plan
  const { feature } = claim
  const { effects, tied, ...found } = await bench.working.part(`latent-${feature}`, async () => {
    const { rows, ...rest } = await measurePlan(bench.material, bench.interventions, plan, {
      ...hooks,
      tied: async round => unpackEffects(feature, await tiedRound(bench, plan, round)),
    })
    return { effects: packEffects(rows), ...rest }
  })
  const measured = new Effects()
  measured.add(feature, compactEffects(effects))
  for (const round of tied) measured.add(feature, await tiedRound(bench, plan, round))
  return {
    claim,
    ...found,
    get rows() {
      return measured.of(feature)
    },
  }
}

/** Directions [count, width] of a round of tied controls: chosen as the latent was, or random ones where nothing was chosen. */
export function tiedDirections(
  { tied, text, seed, sae }: Material,
  { density, selection }: Pick<TiedLike, 'density' | 'selection'>,
  round: Round,
): Float32Array {
  return selection
    ? selectedDirections(tied, text.discoveryLabels, selection, { density, seed, round })
    : randomUnits(round.end, sae.width, new Random(seed, 'tied')).slice(round.start * sae.width)
}

/** A round of a latent's tied controls, which latents that were chosen alike and are of about the same density share. */
async function tiedRound(
  { material, interventions, rounds: { working, known }, pause }: Bench,
  { tied: { density, claimed, selection } }: LatentPlan,
  round: Round,
): Promise<PackedEffects> {
  const chosen = selection ? `${selection.concept}-${selection.rank}` : 'unchosen'
  const key = `tied-${claimed}-${density.toPrecision(4)}-${chosen}-${round.end}`
  const found = known.get(key)
  if (found) return found
  const { config, seed, text, model } = material
  const effects = await working.part(key, async () => {
    const directions = tiedDirections(material, { density, selection }, round)
    const plan = { config, seed, text, vocabulary: model.config.vocabulary, unitOf: material.unitOf }
    const target = claimed === 'concept' ? selection?.concept : undefined
    const latents = tiedLatents(material.tied, directions, density, target, plan).map(latent => ({
      ...latent,
      id: latent.id + round.start,
    }))
    return packEffects(await measureTied(material, interventions, { latents, directions, first: round.start }, pause))
  })
  const compact = compactEffects(effects)
  known.set(key, compact)
  return compact
}
