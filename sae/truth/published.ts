/**
 * What others measured on SynthSAEBench-16k at L0 25, 200 million samples each, mean of five seeds and its standard
 * deviation over them: Chanin and Garriga-Alonso 2026, arXiv:2602.14687, and the table in SAELens's documentation. Their
 * dictionary was drawn by the same rules with other random numbers; their SAEs are measured with the batch top-k of
 * training, ours as they are saved.
 */
export interface PublishedRow extends PublishedFigures {
  readonly name: string
  readonly samples: number
  /** Standard deviations over seeds. */
  readonly deviation: PublishedFigures
}

interface PublishedFigures {
  readonly f1: number
  readonly mcc: number
  readonly uniqueness: number
  readonly explainedVariance: number
}

type Four = readonly [f1: number, mcc: number, uniqueness: number, explainedVariance: number]

function figures([f1, mcc, uniqueness, explainedVariance]: Four): PublishedFigures {
  return { f1, mcc, uniqueness, explainedVariance }
}

function row(name: string, mean: Four, deviation: Four): PublishedRow {
  return { name, samples: 200_000_000, ...figures(mean), deviation: figures(deviation) }
}

export const publishedRows: readonly PublishedRow[] = [
  row('BatchTopK', [0.7316, 0.7574, 0.9837, 0.7923], [0.001, 0.0003, 0.0015, 0.0003]),
  row('Matryoshka', [0.8793, 0.7927, 0.9987, 0.7792], [0.0021, 0.0006, 0.0005, 0.0004]),
  row('JumpReLU', [0.7317, 0.7527, 0.9885, 0.7951], [0.0034, 0.0009, 0.001, 0.0004]),
  row('standard (L1)', [0.5562, 0.6039, 0.8976, 0.7654], [0.002, 0.0012, 0.0021, 0.0001]),
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: it is theirs, and not the logarithm of 2
  row('matching pursuit', [0.4464, 0.693, 0.8281, 0.8351], [0.0044, 0.003, 0.0069, 0.0003]),
]
