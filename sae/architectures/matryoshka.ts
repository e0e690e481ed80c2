/**
 * Matryoshka BatchTopK sparse autoencoder: nested prefixes of the dictionary must each reconstruct on their own, so that
 * general latents come first and are not absorbed by special ones. Bussmann et al. 2025, arXiv:2503.17547.
 *
 *   x̂_w  = z_{<w} W_dec,<w + b_dec          for every level w of `widths`, the last being all latents
 *   loss = Σ_w weight_w · reconstruction(x, x̂_w) + auxiliary
 *
 * All levels share one batch top-k, and each adds its own latents to what the level before reconstructed. The auxiliary loss
 * is that of the whole dictionary, or one for each level, added up. Inference is BatchTopK's.
 */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { hostValues } from '../../engine/host.ts'
import { type Scalar, type Tensor1D, type Tensor2D, tf } from '../../engine/tf.ts'
import { defineArchitecture, type LossContext, type State } from '../architecture.ts'
import { above } from '../layers/activations.ts'
import { auxiliaryLoss } from '../layers/auxiliary.ts'
import { decoderNorms, initLinear, type LinearParams, reconstructionLoss } from '../layers/linear.ts'
import { batchTopkSettings, keepOfBatch, nextThreshold, saveThresholded } from './batchtopk.ts'
import { decodeRanked, rankedPreActivations } from './topk.ts'

const Config = z.strictObject({
  ...batchTopkSettings,
  widths: z
    .array(z.int().positive())
    .optional()
    .describe(
      'Latents of each level, rising; the last level is always the whole dictionary. Default: 1/32, 1/8, 1/2, all',
    ),
  levelWeights: z
    .array(z.number().min(0))
    .optional()
    .describe('Weight of each level’s reconstruction; default: equal, adding up to 1'),
  auxPerLevel: z
    .boolean()
    .default(false)
    .describe(
      'Let the dead latents of each level explain what that level leaves over, instead of what the whole SAE does',
    ),
})

/** The levels of a dictionary of that size. */
export function levelsOf(widths: readonly number[] | undefined, latents: number): number[] {
  const chosen = widths ?? [1 / 32, 1 / 8, 1 / 2].map(share => Math.floor(share * latents)).filter(width => width > 0)
  const inner = chosen.at(-1) === latents ? chosen.slice(0, -1) : [...chosen]
  const levels = [...inner, latents]
  for (let i = 1; i < levels.length; i++)
    if (levels[i]! <= levels[i - 1]!)
      throw new UserError(
        `widths must rise and stay below latents, but ${levels[i - 1]} is followed by ${levels[i]}.`,
        {
          fix: 'Give rising widths, each below latents.',
        },
      )
  return levels
}

/** The dead latents among those of a level, which begins with latent `from` and ends before `to`. */
function deadOf({ dead }: LossContext, from: number, to: number): Pick<LossContext, 'dead' | 'deadCount'> {
  if (!dead) return { deadCount: 0 }
  const own = tf.tidy(() => dead.slice([from], [to - from]).pad<Tensor1D>([[from, dead.size - to]]))
  return { dead: own, deadCount: hostValues(() => own.sum())[0]! }
}

export const matryoshka = defineArchitecture({
  name: 'matryoshka',
  summary: 'nested dictionaries that each reconstruct on their own; saved as JumpReLU',
  config: Config,
  reads: 'site',

  state: ({ thresholdStart }): State => ({ threshold: thresholdStart === 'zero' ? 0 : -1 }),

  init(shape, config, random): LinearParams {
    const levels = levelsOf(config.widths, shape.latents)
    if (config.levelWeights && config.levelWeights.length !== levels.length)
      throw new UserError(
        `levelWeights has ${config.levelWeights.length} values, but there are ${levels.length} levels.`,
        {
          fix: `Give one weight a level: ${levels.join(', ')} latents.`,
        },
      )
    return initLinear(shape, config, random)
  },

  encode: (params, input, config, state) =>
    above(tf.relu(rankedPreActivations(params, input, config)), Math.max(0, state.threshold!)),

  decode: (params, latents, config) => decodeRanked(params, latents, config),

  loss(params, { input, target }, config, context) {
    const pre = rankedPreActivations(params, input, config)
    const [rows, size] = pre.shape
    const levels = levelsOf(config.widths, size)
    const weights = config.levelWeights ?? levels.map(() => 1 / levels.length)
    const k = context.k ?? config.k
    const latents = keepOfBatch(pre, k)
    const norms = config.rescaleByDecoderNorm ? decoderNorms(params.wDec) : undefined
    const part = (z: Tensor2D, from: number, to: number) => {
      const values = z.slice([0, from], [rows, to - from])
      const scaled = norms ? values.div<Tensor2D>(norms.slice([from], [to - from])) : values
      return tf.matMul(scaled, params.wDec.slice([from, 0], [to - from, -1])) as Tensor2D
    }

    const terms: Record<string, Scalar> = {}
    const auxiliaries: (Scalar | undefined)[] = []
    let reconstruction: Tensor2D | undefined
    levels.forEach((width, i) => {
      const more = part(latents, i === 0 ? 0 : levels[i - 1]!, width)
      reconstruction = reconstruction ? reconstruction.add(more) : more.add<Tensor2D>(params.bDec)
      const loss = reconstructionLoss(config.reconstruction, target, reconstruction, context.variance)
      terms[width === size ? 'reconstruction' : `inner${width}`] = loss.mul(weights[i]!)
      if (!config.auxPerLevel && width < size) return
      const dead = config.auxPerLevel ? deadOf(context, levels[i - 1] ?? 0, width) : context
      auxiliaries.push(auxiliaryLoss(params, pre, target, reconstruction, config, dead))
    })
    const auxiliary = auxiliaries.filter(term => term !== undefined)
    if (auxiliary.length > 0) terms.auxiliary = tf.addN(auxiliary)
    return { terms, latents, reconstruction: reconstruction! }
  },

  observe: nextThreshold,
  save: saveThresholded,
})
