/**
 * Directions that were told the concept, written into latents that tell it: the difference of means and the gradient of the
 * target, which must be supported, and mixtures of the first with noise, whose effects must fall with what is left of it.
 */
import { Random } from '../../core/random.ts'
import type { Sae } from '../../sae/sae.ts'
import { randomUnits } from '../claims/tied.ts'
import { withDecoder, withLatents } from './changed-sae.ts'
import { judgeFamilies, type ProvedClaim, planCase, proved, runCase, studyFamilies } from './run-case.ts'
import { type Subject, subjectsOf, unit, without } from './subjects.ts'
import type { World } from './world.ts'

/** Cosines of the mixtures with what they are mixtures of. */
export const cosines = [1, 0.7, 0.5, 0.3, 0.1] as const

/** What a decoder row is made of, by name. */
export const directions = {
  'difference-of-means': (subject: Subject) => subject.differenceOfMeans,
  gradient: (subject: Subject) => subject.gradient,
  /** Reads as the difference of means does, without what the model reads of it. */
  'read-not-used': (subject: Subject) => unit(without(subject.differenceOfMeans, subject.gradient)),
  ...Object.fromEntries(
    cosines.map(cosine => [
      `mixed-${cosine}`,
      (subject: Subject, random: Random) => mixed(subject.differenceOfMeans, cosine, random),
    ]),
  ),
} as Readonly<Record<string, (subject: Subject, random: Random) => Float32Array>>

/** A unit direction at this cosine with `direction`, the rest of it noise. */
export function mixed(direction: Float32Array, cosine: number, random: Random): Float32Array {
  const noise = unit(without(random.normals(direction.length), direction))
  return direction.map((value, i) => cosine * value + Math.sqrt(1 - cosine ** 2) * noise[i]!)
}

/** A claim of a direction that was written into a latent. */
export interface ProvedDirection extends ProvedClaim {
  /** Mean effect as a share of what the farthest direction that was told the concept does (study `ceiling`). */
  readonly share: number | null
}

/** The claims of the world's subjects with these directions for decoder rows, one family a run. */
export async function proveDirection(
  world: World,
  name: string,
  { runs, latents }: { readonly runs: number; readonly latents: number | readonly number[] },
): Promise<ProvedDirection[]> {
  const claims: ProvedDirection[] = []
  for (let seed = 0; seed < runs; seed++) {
    const subjects = await subjectsOf(world, seed, latents)
    const random = new Random(seed, 'directions', name)
    const rows = new Map(subjects.map(subject => [subject.latent, directions[name]!(subject, random)]))
    const sae = withDecoder(world.sae, rows, `${name}-${seed}`)
    const run = { seed, latents: [...rows.keys()], family: rows.size, settings: { studies: ['ceiling'] } }
    const planned = await planCase(world, { sae, dispose() {} }, run)
    const families = await judgeFamilies(planned, run)
    const found = await studyFamilies(planned, families, run)
    for (const evidence of families.flat()) {
      const share = found.get(evidence.claim.feature)?.ceiling?.share?.ratio ?? null
      claims.push({ ...proved(evidence), share })
    }
  }
  return claims
}

/** One claim that is true among others that are not: latents of which the first writes the difference of means. */
export async function proveOneAmong(
  world: World,
  among: number,
  { runs, latents }: { readonly runs: number; readonly latents: number | readonly number[] },
): Promise<ProvedClaim[]> {
  const found: ProvedClaim[] = []
  const wide = { ...world, sae: widened(world.sae) }
  for (let seed = 0; seed < runs; seed++) {
    const subjects = await subjectsOf(wide, seed, latents)
    const random = new Random(seed, 'one among', among)
    const one = random.pick(subjects)
    const active = (latent: number) => latent !== one.latent && !subjects.some(other => other.latent === latent)
    const candidates = Array.from({ length: world.sae.latents }, (_, i) => i).filter(active)
    const others = random.sample(candidates, among - 1)
    // The others write noise, so that nothing is true of them.
    const rows = new Map(others.map(latent => [latent, unit(random.normals(world.sae.width))]))
    const sae = withDecoder(wide.sae, rows.set(one.latent, one.differenceOfMeans), `one-${among}-${seed}`)
    const chosen = [one.latent, ...others].sort((a, b) => a - b)
    const [family] = await runCase(wide, { sae, dispose() {} }, { seed, latents: chosen, family: among })
    found.push(family!.find(({ feature }) => feature === one.latent)!)
  }
  wide.sae.dispose()
  return found
}

/** Latents on chance directions that stand behind an SAE's own. */
const chance = 400

/** The SAE with further latents, so that there are foreign ones enough to find one claim among twenty. */
function widened(sae: Sae): Sae {
  const rows = randomUnits(chance, sae.width, new Random('widened'))
  const bias = sae.config.apply_b_dec_to_input === true ? sae.params.b_dec : undefined
  const centre = bias ? (bias.dataSync<'float32'>() as Float32Array).slice() : new Float32Array(sae.width)
  const planted = Array.from({ length: chance }, (_, i) => {
    const read = rows.slice(i * sae.width, (i + 1) * sae.width)
    return { read, write: read, centre, threshold: 0.4 }
  })
  return withLatents(sae, planted, 'widened')
}
