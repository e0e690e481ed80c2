/** What a language model said of a latent, and how well that tells where the latent fires, on text it did not see. */
import { z } from 'zod'

const share = z.number().min(0).max(1)
const count = z.int().min(0)

/** Answers of yes or no against the truth. */
export const BinaryScore = z.strictObject({
  /** Balanced accuracy: mean of the shares of positives and of negatives that were told right; null where either was not answered. */
  value: share.nullable(),
  /** 95 % interval over examples (Newcombe's, of the difference of the two rates). */
  low: share.nullable(),
  high: share.nullable(),
  /** Examples answered, and those told right. */
  positives: count,
  hits: count,
  negatives: count,
  rejections: count,
  /** Negatives that are hard (the same token, where the latent is silent), of `negatives`, and those told right. */
  hardNegatives: count,
  hardRejections: count,
  /** Examples without an answer that can be read. */
  unanswered: count,
})
export type BinaryScore = z.infer<typeof BinaryScore>

/** Simulated activations against the true ones. */
export const SimulationScore = z.strictObject({
  /** Pearson's correlation over the tokens of all examples; null where either does not vary. */
  value: z.number().min(-1).max(1).nullable(),
  /** 95 % interval over examples (percentile bootstrap); null for fewer than 20. */
  low: z.number().nullable(),
  high: z.number().nullable(),
  examples: count,
  unanswered: count,
})
export type SimulationScore = z.infer<typeof SimulationScore>

/** Agreement of two judges on the same examples. */
export const Agreement = z.strictObject({
  /** Who the other is: a model, or `human`. */
  with: z.string().min(1),
  /** Cohen's κ; null where chance alone would agree always. */
  kappa: z.number().min(-1).max(1).nullable(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  examples: count,
})
export type Agreement = z.infer<typeof Agreement>

/** An explanation with its scores. A score that was not asked for is null. */
export const Explanation = z.strictObject({
  text: z.string().min(1).nullable(),
  /** The model that explained, and the one that scored. */
  model: z.string().min(1),
  scorer: z.string().min(1),
  detection: BinaryScore.nullable(),
  fuzzing: BinaryScore.nullable(),
  simulation: SimulationScore.nullable(),
  /** Share of the activation in examples that detection recognised, of that in all examples that were answered. */
  coverage: share.nullable(),
  agreement: z.array(Agreement),
})
export type Explanation = z.infer<typeof Explanation>
