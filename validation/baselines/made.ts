/** SAEs from directions: of the architecture, number of latents and sparsity of the SAE under test. */
import { tf } from '../../engine/tf.ts'
import { valuesOf } from '../../latents/activations.ts'
import { type Projections, project } from '../../latents/projections.ts'
import { activationOf, choosesK, inferenceArchitectures } from '../../sae/inference.ts'
import { makeSae } from '../../sae/make.ts'
import type { Sae } from '../../sae/sae.ts'
import { orderStatistic } from '../../statistics/descriptive.ts'
import type { Material } from '../claims/plan.ts'
import type { BaselineSource } from './baseline.ts'

/** Whether the architecture is one that files name; SAEs made by hand may have another. */
const isKnown = (architecture: string) => inferenceArchitectures.includes(architecture)

/** Whether rows keep k latents each; of all other SAEs densities are matched by thresholds. */
function keepsK(sae: Pick<Sae, 'architecture' | 'config'>): boolean {
  const { architecture, config } = sae
  return isKnown(architecture) && choosesK(architecture) && typeof config.k === 'number'
}

/** Shares of discovery tokens at which the latents of the SAE under test fire, ascending, silent ones left out. */
export function densitiesOf({ discovery }: Pick<Material, 'discovery'>): number[] {
  return Array.from({ length: discovery.latents }, (_, latent) => valuesOf(discovery, latent).length / discovery.tokens)
    .filter(density => density > 0)
    .sort((a, b) => a - b)
}

/**
 * Tied latents along unit directions [count, width]: each reads (x − centre)·u and writes it along u. Rows keep k latents where
 * those of the SAE under test do and `byThreshold` is not asked for; else latent i fires above the threshold that gives it the
 * density of the i-th of `count` latents spread over those of the SAE under test.
 */
export function tiedSae(
  { material, centre, values }: BaselineSource,
  directions: Float32Array,
  byThreshold = false,
): Sae {
  const { sae } = material
  const { width } = sae
  const count = directions.length / width
  const metadata = { hook_name: sae.metadata.hook_name }
  const shared = { apply_b_dec_to_input: true, normalize_activations: 'none' }
  const params = () =>
    tf.tidy(() => {
      const wDec = tf.tensor2d(directions, [count, width])
      return { W_enc: tf.transpose(wDec), W_dec: wDec, b_dec: tf.tensor1d(centre), b_enc: tf.zeros([count]) }
    })
  if (keepsK(sae) && !byThreshold) {
    const k = Math.min(count, sae.config.k as number)
    return makeSae({ architecture: 'topk', config: { ...shared, k }, metadata, params: params() })
  }
  const densities = densitiesOf(material)
  const shares = Array.from(
    { length: count },
    (_, i) => densities[Math.floor(((i + 0.5) / count) * densities.length)] ?? 0,
  )
  const thresholds = thresholdsOf(project(values, directions), shares)
  const excess = isKnown(sae.architecture) && activationOf(sae.architecture) === 'relu'
  // A standard SAE has what exceeds its bias as its value, a JumpReLU one the whole projection.
  const own = params()
  if (!excess)
    return makeSae({
      architecture: 'jumprelu',
      config: shared,
      metadata,
      params: { ...own, threshold: tf.tensor1d(thresholds) },
    })
  own.b_enc.dispose()
  return makeSae({
    architecture: 'standard',
    config: shared,
    metadata,
    params: { ...own, b_enc: tf.tensor1d(thresholds.map(value => -value)) },
  })
}

/** The value that a share of the tokens exceeds along each direction, a share a direction; never below zero. */
export function thresholdsOf({ directions, tokens, values }: Projections, shares: readonly number[]): Float32Array {
  return Float32Array.from({ length: directions }, (_, c) => {
    const above = Math.min(tokens - 1, Math.round(shares[c]! * tokens))
    return Math.max(0, orderStatistic(values.subarray(c * tokens, (c + 1) * tokens), tokens - 1 - above))
  })
}
