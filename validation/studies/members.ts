/** Which latents belong with a claimed one, by discovery text and decoder rows: those that could do the same as it does. */
import { valuesOf } from '../../latents/activations.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import type { SetsFound } from '../contracts/sets.ts'

export interface Member {
  readonly latent: number
  readonly because: SetsFound['latents'][number]['because']
}

/** A latent that tells the claimed concept this well on discovery text tells it, too. */
const sameConceptAuroc = 0.7

/**
 * The claimed latent, then up to `size − 1` others that are active on discovery text: those that tell its concept, best first;
 * where they are too few, by turns the one that fires at the same tokens most and the one whose decoder row is nearest.
 */
export function membersOf(material: Material, { claim, concept }: LatentPlan, size: number): Member[] {
  const { text } = material
  const own = claim.feature
  const found: Member[] = [{ latent: own, because: 'claimed' }]
  const others = text.candidates.map(({ latent }) => latent).filter(latent => latent !== own)
  const take = (latent: number | undefined, because: Member['because']) => {
    if (latent !== undefined && found.length < size) found.push({ latent, because })
  }
  if (concept >= 0) {
    const aurocOf = (latent: number) => text.aurocs[latent * text.concepts.length + concept]!
    const same = others.filter(latent => aurocOf(latent) >= sameConceptAuroc)
    for (const latent of same.sort((a, b) => aurocOf(b) - aurocOf(a) || a - b)) take(latent, 'concept')
  }
  const coFiring = coFiringWith(material, own)
  const cosine = cosinesWith(material, own)
  const best = (score: Float64Array) =>
    others
      .filter(latent => score[latent]! > 0 && !found.some(member => member.latent === latent))
      .reduce<number | undefined>((a, b) => (a === undefined || score[b]! > score[a]! ? b : a), undefined)
  for (let turn = 0; turn < size && found.length < size; turn++) {
    take(best(coFiring), 'firing')
    take(best(cosine), 'decoder')
  }
  return found
}

/** By latent the Jaccard index of its active tokens with those of one latent, on discovery text. */
function coFiringWith({ discovery }: Material, own: number): Float64Array {
  const { offsets, window, position, latents } = discovery
  const tokenOf = (entry: number) => window[entry]! * 2 ** 16 + position[entry]!
  const active = new Set<number>()
  for (let entry = offsets[own]!; entry < offsets[own + 1]!; entry++) active.add(tokenOf(entry))
  return Float64Array.from({ length: latents }, (_, latent) => {
    let both = 0
    for (let entry = offsets[latent]!; entry < offsets[latent + 1]!; entry++) if (active.has(tokenOf(entry))) both++
    const either = active.size + valuesOf(discovery, latent).length - both
    return either === 0 ? 0 : both / either
  })
}

/** By latent the cosine of its decoder row with that of one latent. */
function cosinesWith({ decoder, sae: { width, latents } }: Material, own: number): Float64Array {
  const product = (a: number, b: number) => {
    let sum = 0
    for (let i = 0; i < width; i++) sum += decoder[a * width + i]! * decoder[b * width + i]!
    return sum
  }
  return Float64Array.from({ length: latents }, (_, latent) => {
    const norms = Math.sqrt(product(latent, latent) * product(own, own))
    return norms > 0 ? product(own, latent) / norms : 0
  })
}
