/**
 * What others measured on SynthSAEBench-16k at L0 25, 200 million samples each, mean of five seeds: Chanin and
 * Garriga-Alonso 2026, arXiv:2602.14687, and the table in SAELens's documentation. Their dictionary was drawn by the same
 * rules with other random numbers; their SAEs are measured with the batch top-k of training, ours as they are saved.
 */
export interface PublishedRow {
  readonly name: string
  readonly samples: number
  readonly f1: number
  readonly mcc: number
  readonly uniqueness: number
  readonly explained_variance: number
}

const samples = 200_000_000

export const publishedRows: readonly PublishedRow[] = [
  { name: 'BatchTopK', samples, f1: 0.7316, mcc: 0.7574, uniqueness: 0.9837, explained_variance: 0.7923 },
  { name: 'Matryoshka', samples, f1: 0.8793, mcc: 0.7927, uniqueness: 0.9987, explained_variance: 0.7792 },
  { name: 'JumpReLU', samples, f1: 0.7317, mcc: 0.7527, uniqueness: 0.9885, explained_variance: 0.7951 },
  { name: 'standard (L1)', samples, f1: 0.5562, mcc: 0.6039, uniqueness: 0.8976, explained_variance: 0.7654 },
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: it is theirs, and not the logarithm of 2
  { name: 'matching pursuit', samples, f1: 0.4464, mcc: 0.693, uniqueness: 0.8281, explained_variance: 0.8351 },
]
