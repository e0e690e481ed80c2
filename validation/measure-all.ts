/** All latents of a validation, one after the other, and the tied controls that some of them share. */
import { Random } from '../core/random.ts'
import { breathe, type StageContext } from '../core/stage.ts'
import { throwIfInterrupted } from '../latents/activations.ts'
import type { LatentPlan, Study } from './claims/plan.ts'
import { selectedDirections } from './claims/selected.ts'
import { randomUnits, tiedLatents } from './claims/tied.ts'
import { measurePlan } from './measure.ts'
import { measureTied, type TiedRow } from './measure-tied.ts'
import type { Measured } from './rows.ts'
import type { Working } from './working.ts'

/** Measures every planned latent and its tied controls; finished parts are kept, so that a cut run goes on behind them. */
export async function measureAll(
  { progress, signal }: StageContext,
  study: Study,
  plans: readonly LatentPlan[],
  working: Working,
): Promise<Measured[]> {
  const documentsOf = ({ documents }: LatentPlan) => documents.ablate.length + documents.steer.length
  progress.start(
    'Testing latents',
    plans.reduce((sum, plan) => sum + documentsOf(plan), 0),
    'documents',
  )
  let done = 0
  const measured: Measured[] = []
  const pause = async () => {
    await breathe()
    throwIfInterrupted(signal)
  }
  const tiedRows = new Map<string, readonly TiedRow[]>()
  for (const plan of plans) {
    throwIfInterrupted(signal)
    const { claim } = plan
    let own = 0
    const found = await working.part(`latent-${claim.feature}`, () =>
      measurePlan(study, plan, async () => {
        progress.update(done + ++own, `latent ${claim.feature}`)
        await pause()
      }),
    )
    const tied = found.rows.length === 0 ? [] : await sharedTied(study, plan, working, tiedRows, pause)
    done += documentsOf(plan)
    progress.update(done)
    measured.push({ claim, ...found, rows: [...found.rows, ...tied.map(row => ({ feature: claim.feature, ...row }))] })
  }
  progress.finish()
  return measured
}

/** The rows of a latent's tied controls, which latents that were chosen alike and are of about the same density share. */
async function sharedTied(
  study: Study,
  { tied: { density, claimed, selection } }: LatentPlan,
  working: Working,
  known: Map<string, readonly TiedRow[]>,
  pause: () => Promise<void>,
): Promise<readonly TiedRow[]> {
  const chosen = selection ? `${selection.concept}-${selection.rank}` : 'unchosen'
  const key = `tied-${claimed}-${density.toPrecision(4)}-${chosen}`
  const { config, seed, text, model } = study
  const plan = { config, seed, text, vocabulary: model.config.vocabulary, unitOf: study.unitOf }
  const rows =
    known.get(key) ??
    (await working.part(key, () => {
      const directions = selection
        ? selectedDirections(study.tied, text.discoveryLabels, selection, density, seed)
        : randomUnits(study.tied.count, study.sae.width, new Random(seed, 'tied'))
      const target = claimed === 'concept' ? selection?.concept : undefined
      return measureTied(study, directions, tiedLatents(study.tied, directions, density, target, plan), pause)
    }))
  known.set(key, rows)
  return rows
}
