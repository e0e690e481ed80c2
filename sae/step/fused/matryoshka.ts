/**
 * The fused Matryoshka step: BatchTopK's, where every level of the dictionary reconstructs on its own. A latent is part of
 * the level it is first in and of all later ones, so its gradients come from the sum of their weighted errors.
 */
import { levelsOf } from '../../architectures/matryoshka.ts'
import type { StepSettings } from '../step.ts'
import { BatchTopkStepper } from './batchtopk.ts'
import { fitsTopk, type TopkConfig } from './topk.ts'

type MatryoshkaConfig = TopkConfig & { widths?: number[]; levelWeights?: number[] }

/**
 * Whether the fused step computes what these settings ask for. The residual of AuxK is read off the last level's error, or
 * off each level's own, so that no such level may weigh nothing.
 */
export function fitsMatryoshka(config: Record<string, unknown>, settings: StepSettings): boolean {
  const { levelWeights, auxCoefficient, auxPerLevel } = config as MatryoshkaConfig
  const read = auxPerLevel ? levelWeights : levelWeights?.slice(-1)
  return fitsTopk(config, settings) && (auxCoefficient === 0 || !read?.includes(0))
}

export class MatryoshkaStepper extends BatchTopkStepper {
  protected override get levels() {
    const { latents } = this.shape
    const { widths, levelWeights } = this.own as MatryoshkaConfig
    const ends = levelsOf(widths, latents)
    return ends.map((end, level) => ({
      name: end === latents ? 'reconstruction' : `inner${end}`,
      weight: levelWeights?.[level] ?? 1 / ends.length,
      end,
    }))
  }
}
