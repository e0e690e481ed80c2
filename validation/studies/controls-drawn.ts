/** The directions that the study controls measures a latent beside. */
import { Random } from '../../core/random.ts'
import { type LatentPlan, type Material, sameConceptAuroc } from '../claims/plan.ts'
import { likenessOf } from '../controls/firing.ts'
import { copyCosine } from '../controls/foreign.ts'
import { controls as kinds } from '../controls/index.ts'
import { directionOf, fewestControls } from './subject.ts'

/** A direction that is measured, of length 1 or the latent's own. */
export interface Direction {
  readonly control: string
  readonly controlId: number | null
  readonly row: Float32Array
}

/** The first of a plan's controls of a kind, as few as can show a rank. */
export function directionsOf(
  { controls }: LatentPlan,
  control: 'random' | 'foreign',
  { config, sae }: Material,
): Direction[] {
  const drawn = controls[control]
  const count = Math.min(drawn?.ids.length ?? 0, fewestControls(config.alpha))
  return Array.from({ length: count }, (_, i) => ({
    control,
    controlId: drawn!.ids[i]!,
    row: drawn!.directions.slice(i * sae.width, (i + 1) * sae.width),
  }))
}

/** Latents that fire like the one under test, and the one that tells its concept best, as unit directions. */
export function alikeOf(material: Material, { claim, concept }: LatentPlan): Direction[] {
  const { sae, decoder, discovery, text, samples, config, seed } = material
  const { feature } = claim
  const active = text.candidates.map(({ latent }) => latent)
  const aurocOf = (latent: number) => (concept < 0 ? 0 : text.aurocs[latent * text.concepts.length + concept]!)
  const sameConcept = new Set(concept < 0 ? [] : active.filter(latent => aurocOf(latent) >= sameConceptAuroc))
  const { ids, directions } = kinds.matched.draw(
    {
      ...{ width: sae.width, latent: feature, decoder, active, sameConcept, samples },
      likeness: others => likenessOf(discovery, feature, others),
      random: new Random(seed, 'matched', feature),
    },
    fewestControls(config.alpha),
  )
  const found: Direction[] = ids.map((id, i) => ({
    control: 'matched',
    controlId: id,
    row: directions.slice(i * sae.width, (i + 1) * sae.width),
  }))
  if (concept < 0) return found
  const own = unit(directionOf(material, feature))
  const strongest = active
    .filter(latent => latent !== feature && aurocOf(latent) > 0.5)
    .sort((a, b) => aurocOf(b) - aurocOf(a) || a - b)
    .map(latent => ({ control: 'strongest', controlId: latent, row: unit(directionOf(material, latent)) }))
    .find(({ row }) => Math.abs(dot(row, own)) <= copyCosine)
  return strongest ? [...found, strongest] : found
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, j) => sum + x * b[j]!, 0)

function unit(row: Float32Array): Float32Array {
  const length = Math.hypot(...row)
  return length > 0 ? row.map(x => x / length) : row
}
