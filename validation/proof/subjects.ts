/** The latents that truths are planted in: those that tell a concept, with directions that were told it. */
import { conceptRows } from '../claims/concepts.ts'
import type { LatentPlan } from '../claims/plan.ts'
import { differenceOfMeans } from '../supervised/difference-of-means.ts'
import { gradient } from '../supervised/gradient.ts'
import { decoderOf } from './changed-sae.ts'
import { planCase } from './run-case.ts'
import type { World } from './world.ts'

/** Unit directions [width], fitted on discovery text. */
export interface Subject {
  readonly latent: number
  readonly concept: string
  readonly plan: LatentPlan
  /** Its decoder row. */
  readonly own: Float32Array
  readonly differenceOfMeans: Float32Array
  /** The gradient of the claim's target: what the model reads. */
  readonly gradient: Float32Array
}

/** The latents among `latents` that tell a concept well enough to claim it. */
export async function subjectsOf(world: World, seed: number, latents: number | readonly number[]): Promise<Subject[]> {
  const { material, plans } = await planCase(world, { dispose() {} }, { seed, latents, family: 1 })
  const { sae } = world
  const rows = decoderOf(sae)
  const values = material.tied.discovery
  return plans.flatMap(plan => {
    if (plan.concept < 0) return []
    const labels = conceptRows(material.text.discoveryLabels, plan.concept)
    const labelled = { material, target: plan.target, values, labels }
    const [means, slope] = [differenceOfMeans.learn(labelled), gradient.learn(labelled)]
    if (!means || !slope) return []
    const { feature } = plan.claim
    return [
      {
        latent: feature,
        concept: plan.claim.concept!,
        plan,
        own: unit(rows.slice(feature * sae.width, (feature + 1) * sae.width)),
        differenceOfMeans: unit(means),
        gradient: unit(slope),
      },
    ]
  })
}

/** The direction of length 1. */
export function unit(direction: ArrayLike<number>): Float32Array {
  const norm = Math.hypot(...Array.from(direction))
  return Float32Array.from(direction, value => value / norm)
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** The part of a direction that is orthogonal to another unit direction. */
export function without(direction: Float32Array, other: Float32Array): Float32Array {
  const along = dot(direction, other)
  return direction.map((value, i) => value - along * other[i]!)
}
