/** An SAE of given directions that fires as often as the world's trained one, latent by latent. */
import { drawWindows } from '../../datasets/draw.ts'
import { tf } from '../../engine/tf.ts'
import { encodeWindows, measuredDraw, valuesOf } from '../../latents/activations.ts'
import { project, type SiteValues, siteValues } from '../../latents/projections.ts'
import { siteMean } from '../../latents/reconstruction.ts'
import { makeSae } from '../../sae/make.ts'
import type { Sae } from '../../sae/sae.ts'
import { thresholdsOf } from '../baselines/made.ts'
import type { World } from './world.ts'

/** Tokens of training text by which densities are matched. */
const matchedTokens = 8000

/** What is at the site of the world's SAE on training text, less its mean, and how often the SAE's latents fire on it. */
export interface Site {
  readonly centre: Float32Array
  readonly values: SiteValues
  /** Shares of tokens at which the latents fire, ascending, silent ones left out. */
  readonly densities: readonly number[]
}

const known = new WeakMap<World, Promise<Site>>()

/** Reads the site once for each world. */
export function siteOf(world: World): Promise<Site> {
  const found = known.get(world) ?? readSite(world)
  known.set(world, found)
  return found
}

async function readSite({ model, sae, dataset }: World): Promise<Site> {
  const windows = await drawWindows(dataset, { ...measuredDraw, split: 'train', seed: 0, tokens: matchedTokens })
  const options = { batchTokens: 4096, signal: new AbortController().signal }
  const site = sae.metadata.hook_name
  const centre = await siteMean(model, site, windows, options)
  const values = await siteValues(model, site, windows, centre, options)
  const found = await encodeWindows(model, sae, windows, options)
  const densities = Array.from({ length: found.latents }, (_, latent) => valuesOf(found, latent).length / found.tokens)
  return { centre, values, densities: densities.filter(share => share > 0).sort((a, b) => a - b) }
}

/**
 * Latents along unit directions [latents, width], encoder and decoder tied: latent i of n fires with what (x − mean)·u has
 * beyond the threshold that makes it as dense as the i-th of n spread over the trained ones.
 */
export async function tiedSaeLike(world: World, directions: Float32Array, name: string): Promise<Sae> {
  const { centre, values, densities } = await siteOf(world)
  const { width, metadata } = world.sae
  const count = directions.length / width
  const shares = Array.from({ length: count }, (_, i) => densities[Math.floor(((i + 0.5) / count) * densities.length)]!)
  const thresholds = thresholdsOf(project(values, directions), shares)
  const rows = tf.tensor2d(directions, [count, width])
  const params = {
    W_enc: tf.transpose(rows),
    W_dec: rows,
    b_enc: tf.tensor1d(thresholds.map(value => -value)),
    b_dec: tf.tensor1d(centre),
  }
  const config = { apply_b_dec_to_input: true, normalize_activations: 'none' }
  return makeSae({ architecture: 'standard', config, metadata: { hook_name: metadata.hook_name }, params, hash: name })
}
