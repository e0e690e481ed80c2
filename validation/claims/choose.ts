/** Which latents are tested, by discovery text alone: the most selective for different concepts, then others by density. */
import { type Activations, activeWindows, valuesOf } from '../../latents/activations.ts'
import type { ValidateConfig } from '../config.ts'
import type { ConceptLabels } from './concepts.ts'
import { bestConcept } from './selectivity.ts'

/** A latent with what discovery text says of it. */
export interface Candidate {
  readonly latent: number
  /** Place of the best concept, or −1 where no concept can be judged. */
  readonly concept: number
  readonly auroc: number
  /** Tokens at which it fires. */
  readonly active: number
}

/** Latents chosen when the config says `auto`. */
const automaticCount = 8
/** A latent that fires in fewer discovery windows is not chosen on its own. */
const fewestWindows = 5

/** Every latent that fires on discovery text. */
export function candidatesOf(activations: Activations, aurocs: Float64Array, concepts: number): Candidate[] {
  const found: Candidate[] = []
  for (let latent = 0; latent < activations.latents; latent++) {
    const active = valuesOf(activations, latent).length
    if (active === 0) continue
    const best = bestConcept(aurocs, latent, concepts)
    found.push({ latent, concept: best?.concept ?? -1, auroc: best?.auroc ?? 0, active })
  }
  return found
}

/** The latents that the config names or asks for, ascending. */
export function chooseLatents(
  latents: ValidateConfig['latents'],
  candidates: readonly Candidate[],
  activations: Activations,
  labels: ConceptLabels,
  aurocs: Float64Array,
): Candidate[] {
  if (Array.isArray(latents)) {
    const known = new Map(candidates.map(candidate => [candidate.latent, candidate]))
    return [...new Set(latents)]
      .sort((a, b) => a - b)
      .map(latent => known.get(latent) ?? { latent, concept: -1, auroc: 0, active: 0 })
  }
  const count = latents === 'auto' ? automaticCount : latents
  const usable = candidates.filter(({ latent }) => activeWindows(activations, latent).length >= fewestWindows)
  const chosen = new Map<number, Candidate>()
  const bySelectivity = labels.concepts.length > 0 ? Math.ceil(count * 0.75) : 0
  for (const candidate of bestOfEachConcept(usable, aurocs, labels)) {
    if (chosen.size === bySelectivity) break
    if (!chosen.has(candidate.latent)) chosen.set(candidate.latent, candidate)
  }
  const rest = usable
    .filter(({ latent }) => !chosen.has(latent))
    .sort((a, b) => a.active - b.active || a.latent - b.latent)
  const open = Math.min(count - chosen.size, rest.length)
  for (let i = 0; i < open; i++) {
    const candidate = rest[Math.floor(((i + 0.5) / open) * rest.length)]!
    chosen.set(candidate.latent, candidate)
  }
  return [...chosen.values()].sort((a, b) => a.latent - b.latent)
}

/** For each concept the latent that tells it best, best told concepts first; among equals those with more tokens. */
function bestOfEachConcept(
  usable: readonly Candidate[],
  aurocs: Float64Array,
  { concepts, tokens }: ConceptLabels,
): Candidate[] {
  const rounded = (auroc: number) => Math.round(auroc * 500)
  return concepts
    .flatMap((_, concept) => {
      let best: Candidate | undefined
      for (const { latent, active } of usable) {
        const auroc = aurocs[latent * concepts.length + concept]!
        if (Number.isNaN(auroc)) return []
        const difference = rounded(auroc) - rounded(best?.auroc ?? 0)
        // Equals: the latent that fires at fewer other tokens.
        if (difference > 0 || (difference === 0 && best && active < best.active))
          best = { latent, concept, auroc, active }
      }
      return best ? [best] : []
    })
    .sort(
      (a, b) => rounded(b.auroc) - rounded(a.auroc) || tokens[b.concept]! - tokens[a.concept]! || a.concept - b.concept,
    )
}
