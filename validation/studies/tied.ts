/** Random directions that stand in for a latent as whole latents, so that a study can be put to what learned nothing. */

import type { LatentPlan, Study } from '../claims/plan.ts'
import type { Target } from '../claims/targets.ts'
import { type TiedLatent, tiedLatents } from '../claims/tied.ts'
import { tiedDirections } from '../measure-all.ts'
import { roundsOf } from '../rounds.ts'
import type { ClaimDocument } from '../rows.ts'

/** A random direction that fires on tokens of its own, with documents in which it is active and in which it is silent. */
export interface TiedSubject {
  readonly id: number
  readonly direction: Float32Array
  readonly target: Target
  /** Its p99 activation on discovery text: dose 1. */
  readonly unit: number
  readonly active: readonly ClaimDocument[]
  readonly silent: readonly ClaimDocument[]
}

/** The first round of a latent's tied controls, without those that fire in too few documents. */
export function tiedSubjects(study: Study, { tied }: LatentPlan): TiedSubject[] {
  const { config, seed, text, model, sae, unitOf } = study
  const [round] = roundsOf(study.tied.count)
  if (!round) return []
  const directions = tiedDirections(study, tied, round)
  const concept = tied.claimed === 'concept' ? tied.selection?.concept : undefined
  const drawn = (primary: 'ablate' | 'steer') => {
    const plan = { config: { ...config, primary }, seed, text, vocabulary: model.config.vocabulary, unitOf }
    return tiedLatents(study.tied, directions, tied.density, concept, plan)
  }
  const silent = new Map(drawn('steer').map((latent): [number, TiedLatent] => [latent.id, latent]))
  return drawn('ablate').flatMap(({ id, target, unit, documents }) => {
    const other = silent.get(id)
    const direction = directions.slice(id * sae.width, (id + 1) * sae.width)
    return other ? [{ id, direction, target, unit, active: documents, silent: other.documents }] : []
  })
}
