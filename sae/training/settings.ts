/** Settings of training that no architecture owns: amount, optimiser, schedule, decoder norm, dead rule, checkpoints. */
import { z } from 'zod'
import { decoderBiasStarts } from './decoder-bias.ts'
import { rowScales } from './row-scale.ts'

export const TrainingSettings = z.strictObject({
  tokens: z
    .int()
    .positive()
    .optional()
    .describe('Rows to learn from, repeats counted; default: `epochs` over the capture'),
  epochs: z.number().positive().default(1).describe('Passes over the capture, when `tokens` is not given'),
  batchTokens: z.int().positive().default(4096).describe('Rows a step; all rows where there are fewer'),
  learningRate: z.number().positive().optional().describe('Learning rate after warm-up; default: by rateRule'),
  rateRule: z
    .enum(['width', 'latents'])
    .default('width')
    .describe(
      'Default learning rate: 0.08 / √width, times √(1000 / steps) where there are more, thrice for jumprelu (width), or 2e-4 / √(latents / 16384), the rule of dictionary_learning and sparsify (latents)',
    ),
  schedule: z
    .enum(['constant', 'linear', 'cosine'])
    .default('linear')
    .describe('constant; linear: falls over the last `decay` steps; cosine: falls from the end of the warm-up'),
  warmUp: z
    .number()
    .min(0)
    .optional()
    .describe('Steps over which the learning rate rises; below 1 a share of all steps'),
  warmUpFromZero: z.boolean().default(false).describe('Whether the first step has learning rate 0'),
  decay: z.number().min(0).default(0.2).describe('Steps at the end over which the rate falls; below 1 a share of all'),
  finalRate: z.number().min(0).max(1).default(0).describe('Learning rate at the end, as a share of learningRate'),
  optimiser: z.enum(['adam', 'adamw', 'signum']).default('adam').describe('Optimiser'),
  beta1: z.number().min(0).max(0.999999).default(0.9).describe('Decay of the first moment'),
  beta2: z.number().min(0).max(0.999999).default(0.999).describe('Decay of the second moment'),
  epsilon: z.number().positive().default(1e-8).describe('Added to the root of the second moment'),
  weightDecay: z.number().min(0).default(0).describe('Weight decay of adamw'),
  gradientClip: z.number().positive().optional().describe('Largest norm of all gradients together; default: no limit'),
  decoderNorm: z
    .enum(['free', 'unit', 'unit-before'])
    .default('unit')
    .describe('Norm of decoder rows: free, brought to 1 after every step, or before every step'),
  projectGradient: z.boolean().default(true).describe('Take from the decoder gradient what is parallel to its rows'),
  freeze: z
    .enum(['encoder', 'decoder'])
    .optional()
    .describe('Matrix that stays as it was drawn, for baselines; its bias learns on (default: none)'),
  foldDecoderNorm: z.boolean().default(true).describe('Save decoder rows with norm 1, their norm in the encoder'),
  decoderBias: z.enum(decoderBiasStarts).default('geometric-median').describe('Where the decoder bias starts'),
  inputScale: z
    .union([z.enum(rowScales), z.number().positive()])
    .default('deviation')
    .describe(
      'Scale of the rows in training: mean squared distance from their mean is the width (deviation), none, mean norm √width, mean square norm width, or a factor; folded at save',
    ),
  deadAfterTokens: z.int().positive().optional().describe('A latent that did not fire for so many rows is dead'),
  sparsityWarmUp: z.number().min(0).default(0).describe('Steps over which the sparsity loss rises; below 1 a share'),
  kAnneal: z.number().min(0).optional().describe('Steps over which k falls to its value; below 1 a share of all'),
  kFrom: z
    .int()
    .positive()
    .optional()
    .describe('k at the start of annealing; default: the width, or the latents where they are fewer'),
  seed: z.int().min(0).optional().describe('Seed of the weights; default: the seed of the run'),
  orderSeed: z.int().min(0).optional().describe('Seed of the order of rows; default: the seed of the run'),
  fused: z.boolean().default(true).describe('Use the fused step where it computes what is asked for'),
  logEvery: z.int().positive().default(10).describe('Steps between lines of metrics.jsonl'),
  checkpointEvery: z.int().positive().default(500).describe('Steps between checkpoints'),
  keepCheckpoints: z.int().positive().default(2).describe('Checkpoints kept while training; all go when it is done'),
  densityWindow: z
    .number()
    .min(0)
    .default(0.1)
    .describe('Steps at the end over which latent densities are counted; below 1 a share of all'),
  validationRows: z
    .int()
    .min(0)
    .default(0)
    .describe('Rows at the end of the capture that are not learned from and on which the result is measured'),
  memory: z
    .number()
    .positive()
    .default(0.5)
    .describe('GiB of rows held for shuffling; more rows are shuffled in two levels'),
})

export type TrainingSettings = z.output<typeof TrainingSettings>
