/** Settings of the label stage. */
import { z } from 'zod'
import { DatasetConfig } from '../datasets/config.ts'
import { ExplainConfig } from './explain/config.ts'

export const LabelConfig = z.strictObject({
  sae: z.string().describe('Run id or directory of the trained SAE'),
  evidence: z
    .string()
    .optional()
    .describe('Run id or directory of a validate run whose verdicts are joined to the labels'),
  stability: z
    .string()
    .optional()
    .describe('Table that `sae compare --output` wrote, with this SAE as the first, whose cosines are joined'),
  model: z.string().optional().describe('Host model directory (default: the one the SAE was captured from)'),
  dataset: DatasetConfig.optional().describe('Texts to look at (default: those the SAE was captured from)'),
  tokens: z.int().min(1).default(200_000).describe('Tokens looked at on each of the two held-out halves'),
  batchTokens: z.int().min(1).default(4096).describe('Tokens run through the model at once'),
  topExamples: z.int().min(1).default(20).describe('Windows with the strongest activations kept for each latent'),
  bands: z.int().min(0).default(5).describe('Bands of equal count the weaker windows are divided into'),
  perBand: z.int().min(0).default(2).describe('Windows drawn from each band'),
  silentExamples: z
    .int()
    .min(0)
    .default(4)
    .describe('Windows without an activation; half of them have a token at which the latent fires elsewhere'),
  context: z.int().min(0).default(16).describe('Tokens kept on each side of the strongest one'),
  logits: z.int().min(1).default(10).describe('Promoted and suppressed tokens kept for each latent'),
  tokensShown: z.int().min(1).default(10).describe('Tokens kept at, and after, which each latent fires most'),
  neighbours: z.int().min(0).default(5).describe('Nearest latents kept, by decoder cosine and by common tokens'),
  histogramBins: z.int().min(1).default(24).describe('Bins of the activation histogram, from 0 to the maximum'),
  minimumF1: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('A rule whose F1 on text that did not choose it is less than this is no label'),
  explainer: ExplainConfig.optional().describe('Language model that is asked about latents'),
  concepts: z.array(z.string()).optional().describe('Concepts tried as labels (default: all the dataset has)'),
})

export type LabelConfig = z.infer<typeof LabelConfig>
