/**
 * AuxK: the largest dead latents try to explain what the live ones leave over, so that they come back to life.
 * Gao et al. 2024, arXiv:2406.04093, appendix A.2.
 *
 *   e    = y − ŷ, without gradient
 *   ê    = topK_aux(π over dead latents) W_dec
 *   loss = coefficient · ‖e − ê‖² , normalised or not
 */
import { z } from 'zod'
import { type Scalar, type Tensor2D, tf } from '../../engine/tf.ts'
import type { LossContext } from '../architecture.ts'
import { absTopK, detach, topK } from './activations.ts'
import { decoderNorms, type LinearParams, spread } from './linear.ts'

/** Settings of the auxiliary loss. */
export const auxiliarySettings = {
  auxK: z
    .int()
    .min(0)
    .optional()
    .describe('Dead latents that try to explain the residual of a row; default: half the width'),
  auxCoefficient: z
    .number()
    .min(0)
    .default(1 / 32)
    .describe('Weight of the auxiliary loss; 0 turns it off'),
  auxNormalise: z
    .enum(['residual', 'target', 'none'])
    .default('residual')
    .describe('Divide the auxiliary loss by the variance of the residual, by that of the target, or by nothing'),
  auxScaleByDead: z
    .boolean()
    .default(false)
    .describe('Shrink the auxiliary loss while there are fewer dead latents than auxK'),
  auxRelu: z.boolean().default(true).describe('Apply ReLU to the dead latents of the auxiliary loss'),
  auxDecoderBias: z
    .boolean()
    .default(false)
    .describe(
      'Add the decoder bias to the auxiliary reconstruction (a known fault of SAELens before 6.36 and of sparsify)',
    ),
  auxToEncoder: z
    .boolean()
    .default(true)
    .describe('Let the auxiliary loss train the encoder (sparsify does not, a known fault)'),
}

export type AuxiliarySettings = z.output<z.ZodObject<typeof auxiliarySettings>>

/** Dead latents are chosen by their value, which may go through ReLU first, or by its size. */
type AuxiliaryChoice = { auxRelu: boolean } | { auxChoice: 'size' }

/** The auxiliary loss; undefined while no latent is dead or when it is turned off. `pre` are pre-activations before ReLU. */
export function auxiliaryLoss(
  { wDec, bDec }: Pick<LinearParams, 'wDec' | 'bDec'>,
  pre: Tensor2D,
  target: Tensor2D,
  reconstruction: Tensor2D,
  config: Omit<AuxiliarySettings, 'auxRelu'> & AuxiliaryChoice & { rescaleByDecoderNorm?: boolean },
  { dead, deadCount }: Pick<LossContext, 'dead' | 'deadCount'>,
): Scalar | undefined {
  const wanted = config.auxK ?? Math.floor(target.shape[1] / 2)
  if (!dead || deadCount === 0 || config.auxCoefficient === 0 || wanted === 0) return undefined
  const residual = detach(target.sub(reconstruction)) as Tensor2D
  const source = config.auxToEncoder ? pre : detach(pre)
  const most = Math.min(wanted, deadCount)
  let latents =
    'auxChoice' in config ? absTopK(source, most, dead) : topK(config.auxRelu ? tf.relu(source) : source, most, dead)
  if (config.rescaleByDecoderNorm) latents = latents.div(decoderNorms(wDec))
  let guess = tf.matMul(latents, wDec) as Tensor2D
  if (config.auxDecoderBias) guess = guess.add(bDec)
  const error = guess.sub(residual).square().sum()
  const loss =
    config.auxNormalise === 'residual'
      ? error.div(spread(residual))
      : config.auxNormalise === 'target'
        ? error.div(spread(target))
        : error.div(target.shape[0])
  const scale = config.auxScaleByDead ? Math.min(deadCount / wanted, 1) : 1
  return loss.mul(config.auxCoefficient * scale) as Scalar
}
