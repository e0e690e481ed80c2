/** Random directions that stand in for a latent as whole latents, so that a study can be put to what learned nothing. */

import type { TokenWindow } from '../../datasets/document.ts'
import { type Activations, activationsIn } from '../../latents/activations.ts'
import { activationsAbove, project, thresholdsAt } from '../../latents/projections.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
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
export function tiedSubjects(material: Material, { tied }: LatentPlan): TiedSubject[] {
  const { config, seed, text, model, sae, unitOf } = material
  const [round] = roundsOf(material.tied.count)
  if (!round) return []
  const directions = tiedDirections(material, tied, round)
  const concept = tied.claimed === 'concept' ? tied.selection?.concept : undefined
  const drawn = (primary: 'ablate' | 'steer') => {
    const plan = { config: { ...config, primary }, seed, text, vocabulary: model.config.vocabulary, unitOf }
    return tiedLatents(material.tied, directions, tied.density, concept, plan)
  }
  const silent = new Map(drawn('steer').map((latent): [number, TiedLatent] => [latent.id, latent]))
  return drawn('ablate').flatMap(({ id, target, unit, documents }) => {
    const other = silent.get(id)
    const direction = directions.slice(id * sae.width, (id + 1) * sae.width)
    return other ? [{ id, direction, target, unit, active: documents, silent: other.documents }] : []
  })
}

/** A tied control as the first of a set: with it go those that fire at its tokens most. */
export interface TiedSet {
  readonly subject: TiedSubject
  /** Of each member, the subject first. */
  readonly directions: readonly Float32Array[]
  /** What each member says in a validation window, by position. */
  activationsIn(window: TokenWindow): ReadonlyMap<number, number>[]
}

/** Sets of as many tied controls of a draw, one for each that has documents enough; none where they are too few for a set. */
export function tiedSets(material: Material, plan: LatentPlan, size: number): TiedSet[] {
  const subjects = tiedSubjects(material, plan)
  if (subjects.length < size) return []
  const { width } = material.sae
  const directions = new Float32Array(subjects.length * width)
  subjects.forEach(({ direction }, i) => {
    directions.set(direction, i * width)
  })
  const { discovery, validation, value } = material.tied
  const seen = project(discovery, directions)
  const thresholds = thresholdsAt(seen, plan.tied.density)
  const firing = tokensOf(activationsAbove(seen, thresholds, value))
  const held = activationsAbove(project(validation, directions), thresholds, value)
  const place = new Map(held.windows.map(({ id }, w) => [id, w]))
  return subjects.map((subject, own) => {
    const others = subjects.map((_, i) => i).filter(i => i !== own)
    const alike = new Map(others.map(i => [i, jaccard(firing[own]!, firing[i]!)]))
    const chosen = [own, ...others.sort((a, b) => alike.get(b)! - alike.get(a)! || a - b).slice(0, size - 1)]
    return {
      subject,
      directions: chosen.map(i => subjects[i]!.direction),
      activationsIn: window => chosen.map(i => activationsIn(held, i, place.get(window.id)!)),
    }
  })
}

/** The tokens at which each latent fires, as numbers. */
function tokensOf({ latents, offsets, window, position }: Activations): Set<number>[] {
  return Array.from({ length: latents }, (_, latent) => {
    const found = new Set<number>()
    for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) found.add(window[e]! * 2 ** 16 + position[e]!)
    return found
  })
}

function jaccard(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  let both = 0
  for (const one of a) if (b.has(one)) both++
  return both === 0 ? 0 : both / (a.size + b.size - both)
}
