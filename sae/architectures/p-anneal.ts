/**
 * P-annealing: a standard SAE whose penalty Σ f^p goes from p = 1 towards p = 0, so that it starts convex and ends close
 * to a count. Karvonen et al. 2024, "Measuring progress in dictionary learning", arXiv:2408.00113.
 *
 *   loss = reconstruction(x, x̂) + λ s · mean Σ_i (f_i n_i)^p
 *
 * p falls in `pSteps` equal steps between the shares `annealFrom` and `annealTo` of training; at each, s is multiplied so
 * that the penalty of the present batch stays what it was.
 */
import { z } from 'zod'
import { hostValues } from '../../engine/host.ts'
import { type Scalar, type Tensor2D, tf } from '../../engine/tf.ts'
import { defineArchitecture, type State } from '../architecture.ts'
import {
  decodeLinear,
  initLinear,
  type LinearParams,
  linearSettings,
  preActivations,
  reconstructionLoss,
  unitOf,
} from '../layers/linear.ts'
import { saveLinear } from '../saved.ts'
import { l1Settings, smallestBase, weighted } from './standard.ts'

const Config = z.strictObject({
  ...linearSettings,
  ...l1Settings,
  pStart: z.number().positive().max(1).default(1).describe('p at the start'),
  pEnd: z.number().positive().max(1).default(0.2).describe('p at the end'),
  pSteps: z.int().positive().default(10).describe('In how many steps p goes there'),
  annealFrom: z.number().min(0).max(1).default(0.3).describe('Share of training after which p begins to fall'),
  annealTo: z.number().min(0).max(1).default(1).describe('Share of training at which p has arrived'),
})
export type Config = z.output<typeof Config>

/** p of a step. */
export function pAt(config: Config, step: number, total: number): number {
  const share = (step / total - config.annealFrom) / Math.max(1e-9, config.annealTo - config.annealFrom)
  const done = Math.floor(Math.min(1, Math.max(0, share)) * config.pSteps + 1e-9) / config.pSteps
  return config.pStart + (config.pEnd - config.pStart) * done
}

function penalty(latents: Tensor2D, p: number): Scalar {
  return (p === 1 ? latents : tf.maximum(latents, smallestBase).pow<Tensor2D>(p)).sum(1).mean<Scalar>()
}

export const pAnneal = defineArchitecture({
  name: 'p-anneal',
  summary: 'ReLU latents under a penalty that goes from L1 towards L0',
  config: Config,
  reads: 'site',

  state: ({ pStart }): State => ({ p: pStart, sparsityScale: 1 }),
  init: (shape, config, random): LinearParams => initLinear(shape, config, random),
  encode: (params, input, config) => tf.relu(preActivations(params, input, config)),
  decode: (params, latents) => decodeLinear(params, latents),

  loss(params, { input, target }, config, { variance, sparsity, state }) {
    const latents = tf.relu(preActivations(params, input, config))
    const reconstruction = decodeLinear(params, latents)
    const unit = unitOf(config, variance)
    const counted = weighted(latents, params.wDec, config.weightByDecoderNorm).div<Tensor2D>(unit)
    return {
      terms: {
        reconstruction: reconstructionLoss(config.reconstruction, target, reconstruction, variance),
        sparsity: penalty(counted, state.p!).mul(config.l1Coefficient * sparsity * state.sparsityScale!),
      },
      latents,
      reconstruction,
    }
  },

  observe(latents, config, { state, step, total, variance }) {
    const next = pAt(config, step + 1, total)
    if (next === state.p) return state
    const counted = () => latents.div<Tensor2D>(unitOf(config, variance))
    const [before, after] = hostValues(() => tf.stack([penalty(counted(), state.p!), penalty(counted(), next)]))
    const ratio = after! > 0 ? before! / after! : 1
    return { p: next, sparsityScale: state.sparsityScale! * ratio }
  },

  save: (params, config) => saveLinear('standard', params, config),
})
