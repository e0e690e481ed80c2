/** Which features a synthetic world has, and the worlds that have a name. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'

/** Settings of a world; `world.ts` has the equations. */
export const WorldConfig = z.strictObject({
  features: z.int().min(2).describe('Known features'),
  width: z.int().min(2).describe('Width of a sample'),
  exponent: z.number().positive().describe('How fast firing rates fall with rank: rank to minus this power'),
  largestRate: z.number().positive().max(1).describe('Firing rate of the first feature'),
  smallestRate: z.number().positive().max(1).describe('Firing rate of the last feature'),
  roots: z.int().min(0).describe('Trees; their roots are the first features'),
  branching: z.int().min(2).max(64).describe('Children a parent; at most one of them fires at a time'),
  depth: z.int().min(0).describe('Levels of children below a root'),
  rank: z.int().min(0).max(256).describe('Common factors that make features fire together'),
  correlation: z.number().min(0).describe('Standard deviation of the entries of the factor matrix'),
  orthogonalSteps: z.int().min(0).describe('Adam steps that make the directions less parallel'),
  orthogonalRate: z.number().min(0).describe('Learning rate of those steps'),
  firstMean: z.number().positive().describe('Mean size of the first feature where it fires'),
  lastMean: z.number().positive().describe('Mean size of the last feature; in between it is linear in rank'),
  deviationMean: z.number().min(0).describe('A feature’s sizes have the standard deviation |N(this, deviationSpread)|'),
  deviationSpread: z.number().min(0).describe('See deviationMean'),
  bias: z.number().min(0).describe('Norm of the vector that every sample has in common'),
})

export type WorldConfig = z.output<typeof WorldConfig>

/** A world with the protocol by which SAEs are tried on it. */
export interface TruthPreset {
  readonly world: WorldConfig
  readonly latents: number
  readonly k: number
  readonly samples: number
  readonly batchSamples: number
  readonly learningRate: number
  /** Settings of `train` that say how the rate goes. */
  readonly schedule: { readonly schedule: 'constant' | 'linear'; readonly warmUp: number; readonly decay?: number }
  /** A latent that did not fire for so many steps is dead. */
  readonly deadAfterSteps: number
  /** Samples on which the finished SAEs are measured. */
  readonly measured: number
  /** Widths of the inner levels of a Matryoshka SAE. */
  readonly widths: readonly number[]
  /** Whether the published rows are of this world. */
  readonly published: boolean
}

/** The protocol of Chanin and Garriga-Alonso 2026, arXiv:2602.14687, on SynthSAEBench-16k, version 2. */
const benchmark: TruthPreset = {
  world: {
    features: 16_384,
    width: 768,
    exponent: 0.5,
    largestRate: 0.4,
    smallestRate: 5e-4,
    roots: 128,
    branching: 4,
    depth: 3,
    rank: 25,
    correlation: 0.1,
    orthogonalSteps: 100,
    orthogonalRate: 3e-4,
    firstMean: 5,
    lastMean: 4,
    deviationMean: 0.5,
    deviationSpread: 0.5,
    bias: 0.5,
  },
  latents: 4096,
  k: 25,
  samples: 200_000_000,
  batchSamples: 1024,
  learningRate: 3e-4,
  schedule: { schedule: 'constant', warmUp: 0 },
  deadAfterSteps: 1000,
  measured: 500_000,
  widths: [128, 512, 2048],
  published: true,
}

const presets = {
  'synthsaebench-16k': benchmark,
  /**
   * The same world by a protocol of ours. A latent that has found nothing still fires by chance now and then, and so is not
   * dead by the published rule; the 4,096th feature by rate is asked to fire 37 times in ten steps.
   */
  'synthsaebench-16k-short': {
    ...benchmark,
    samples: 40_000_000,
    learningRate: 1e-3,
    schedule: { schedule: 'linear', warmUp: 0.005, decay: 0.3 },
    deadAfterSteps: 10,
  },
  /** The same kind of world, small enough to try in half a minute. */
  small: {
    world: {
      features: 256,
      width: 48,
      exponent: 0.5,
      largestRate: 0.3,
      smallestRate: 5e-3,
      roots: 8,
      branching: 3,
      depth: 2,
      rank: 5,
      correlation: 0.1,
      orthogonalSteps: 100,
      orthogonalRate: 1e-3,
      firstMean: 5,
      lastMean: 4,
      deviationMean: 0.5,
      deviationSpread: 0.5,
      bias: 0.5,
    },
    latents: 128,
    k: 4,
    samples: 2_000_000,
    batchSamples: 512,
    learningRate: 3e-3,
    schedule: { schedule: 'constant', warmUp: 0 },
    deadAfterSteps: 1000,
    measured: 50_000,
    widths: [16, 32, 64],
    published: false,
  },
} satisfies Record<string, TruthPreset>

export type TruthPresetName = keyof typeof presets
export const truthPresets: Readonly<Record<TruthPresetName, TruthPreset>> = presets
export const truthPresetNames = Object.keys(truthPresets) as [TruthPresetName, ...TruthPresetName[]]

/** Features that belong to a tree: the roots and every level of children below them, as far as there are features. */
export function nestedFeatures({ features, roots, branching, depth }: WorldConfig): number {
  let total = 0
  for (let level = 0; level <= depth; level++) total += roots * branching ** level
  return roots === 0 ? 0 : Math.min(features, total)
}

/** Throws a `UserError` where the settings contradict one another. */
export function checkWorld(config: WorldConfig): void {
  if (config.smallestRate > config.largestRate)
    throw new UserError(`smallestRate ${config.smallestRate} is above largestRate ${config.largestRate}.`, {
      fix: 'The first feature fires most often; lower smallestRate.',
    })
  if (config.roots > config.features)
    throw new UserError(`${config.roots} roots are more than the ${config.features} features.`, {
      fix: 'Lower roots, or raise features.',
    })
}
