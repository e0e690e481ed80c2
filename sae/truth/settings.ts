/** The `truth` stage's config, and what follows from it before the first sample is drawn. */
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { architectureOf, architectures } from '../architectures/index.ts'
import { resolveTraining, TrainConfig } from '../training/config.ts'
import { checkWorld, type TruthPreset, truthPresetNames, truthPresets } from './config.ts'

/** Architectures that read one site and so can learn a world. */
const names = Object.values(architectures)
  .filter(({ reads }) => reads === 'site')
  .map(({ name }) => name) as [string, ...string[]]

export const TruthConfig = z.strictObject({
  preset: z.enum(truthPresetNames).default('small').describe('World and protocol'),
  architecture: z
    .array(z.enum(names))
    .min(1)
    .default(['batchtopk', 'matryoshka'])
    .describe('SAE architectures; they learn side by side from the same samples'),
  samples: z.int().positive().optional().describe('Samples to learn from; default: the preset’s'),
  k: z
    .number()
    .positive()
    .optional()
    .describe('Latents a sample, where the architecture has a k; default: the preset’s'),
  latents: z.int().positive().optional().describe('Latents of each SAE; default: the preset’s'),
  learningRate: z.number().positive().optional().describe('Learning rate; default: the preset’s'),
  batchSamples: z.int().positive().optional().describe('Samples a step; default: the preset’s'),
  evaluateEvery: z.int().positive().optional().describe('Samples between points of the curve; default: a twentieth'),
  evaluationSamples: z.int().positive().default(20_000).describe('Samples a point of the curve is measured on'),
  finalSamples: z
    .int()
    .positive()
    .optional()
    .describe('Samples on which the finished SAEs are measured; default: the preset’s'),
  checkpointEvery: z.int().positive().default(2_000_000).describe('Samples between checkpoints'),
  settings: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Further keys of train, for every architecture that has them: {auxCoefficient: 0.1}'),
})

export type TruthConfig = z.output<typeof TruthConfig>

/** The config with everything filled in that the preset says. */
export function fillTruth(config: TruthConfig) {
  const preset = truthPresets[config.preset]
  const samples = config.samples ?? preset.samples
  return {
    ...config,
    samples,
    k: config.k ?? preset.k,
    latents: config.latents ?? preset.latents,
    learningRate: config.learningRate ?? preset.learningRate,
    batchSamples: Math.min(samples, config.batchSamples ?? preset.batchSamples),
    evaluateEvery: config.evaluateEvery ?? Math.ceil(samples / 20),
    finalSamples: config.finalSamples ?? preset.measured,
  }
}

type Filled = ReturnType<typeof fillTruth>

/** What follows from a config before the first sample is drawn. Throws a `UserError` where settings do not fit. */
export function resolveTruth(config: TruthConfig) {
  const filled = fillTruth(config)
  const { samples, batchSamples, evaluateEvery, checkpointEvery, finalSamples } = filled
  const preset = truthPresets[config.preset]
  const { world } = preset
  checkWorld(world)
  const repeated = config.architecture.find((name, i) => config.architecture.indexOf(name) !== i)
  if (repeated) throw new UserError(`architecture names ${repeated} twice.`, { fix: 'Name each once.' })
  return {
    ...{ world, samples, batchSamples, finalSamples },
    steps: Math.floor(samples / batchSamples),
    evaluateSteps: stepsOf(evaluateEvery, batchSamples),
    checkpointSteps: stepsOf(checkpointEvery, batchSamples),
    trainings: config.architecture.map(name => trainingOf(name, filled, preset)),
  }
}

function stepsOf(samples: number, batch: number): number {
  return Math.max(1, Math.round(samples / batch))
}

/**
 * What `train` would be told: the preset's protocol, unless settings differ. In the published one every level of a Matryoshka
 * SAE has an auxiliary loss of its own.
 */
function trainingOf(name: string, config: Filled, preset: TruthPreset): TrainConfig {
  const { schedule, deadAfterSteps, widths } = preset
  const { samples, batchSamples, latents, learningRate, k } = config
  const own = Object.keys(architectureOf(name).config.shape)
  const others = new Set(names.flatMap(other => Object.keys(architectureOf(other).config.shape)))
  // A setting that only another architecture has is for that one.
  const settings = Object.entries(config.settings).filter(([key]) => own.includes(key) || !others.has(key))
  const given = {
    ...{ architecture: name, latents, tokens: samples, batchTokens: batchSamples, learningRate },
    ...{ ...schedule, deadAfterTokens: deadAfterSteps * batchSamples, inputScale: 'none' },
    ...(own.includes('k') ? { k } : {}),
    ...(own.includes('widths') ? { widths: widths.filter(width => width < latents), auxPerLevel: true } : {}),
    ...Object.fromEntries(settings),
  }
  const training = parseConfig(TrainConfig, given, 'settings') as TrainConfig
  resolveTraining(training)
  return training
}
