/** The settings of a dataset: where text comes from, how it is cut into windows, and what is held out. */
import { z } from 'zod'

/** Tokens of a window at most: positions are stored in 16 bits. */
export const longestWindow = 65_536

export const DatasetConfig = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe(
      "A .txt, .jsonl (also .gz or .zst) or .parquet file, a folder of them, or the built-in dataset 'toyworld'",
    ),
  separator: z
    .string()
    .min(1)
    .optional()
    .describe("Text files: what stands between documents, e.g. '<|endoftext|>', or 'blank-line'; default: one a file"),
  textField: z.string().min(1).default('text').describe('JSONL, Parquet: the field or column that holds the text'),
  idField: z
    .string()
    .min(1)
    .default('id')
    .describe("JSONL, Parquet: the field that names the document; without 'id', its line"),
  strataFields: z
    .array(z.string().min(1))
    .default([])
    .describe('JSONL, Parquet: fields that become strata, e.g. language'),
  packing: z
    .enum(['document', 'concatenate'])
    .default('document')
    .describe('A window holds one document or a piece of it, or pieces of several joined ones, all of equal length'),
  context: z
    .int()
    .min(2)
    .max(longestWindow)
    .optional()
    .describe(`Tokens of a window at most; default: the model's context, or ${longestWindow} where that is longer`),
  bos: z
    .union([z.literal('auto'), z.boolean()])
    .default('auto')
    .describe('Put the beginning-of-sequence token in front where it is not there; auto: where the model has one'),
  maxSkipped: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe(
      'Share of the documents that may be left out because they cannot be used: broken lines, no text, same ids',
    ),
  tokenizerThreads: z
    .int()
    .min(0)
    .max(256)
    .optional()
    .describe(
      'Threads that tokenise while the next text is read; 0: one, by turns with reading; default: as many as the machine has. The tokens are the same',
    ),
  documents: z.int().min(1).optional().describe('Use only so many documents, from the first'),
  heldOut: z
    .strictObject({
      fraction: z.number().min(0).max(0.9).default(0.1).describe('Share of the data that no SAE is fitted on'),
      by: z
        .enum(['hash', 'tail'])
        .default('hash')
        .describe("Documents by a hash of seed and id, or the last windows in the dataset's order"),
    })
    .prefault({})
    .describe('What is kept for discovery and validation, half each'),
  outOfDistribution: z
    .strictObject({
      field: z.string().min(1).describe('The stratum that tells these documents'),
      values: z.array(z.string()).min(1).describe('Its values that are kept out of all other splits'),
    })
    .optional()
    .describe('Documents for out-of-distribution tests only'),
  seed: z.int().default(0).describe('Seed of the splits and of generated datasets'),
})
export type DatasetConfig = z.infer<typeof DatasetConfig>
