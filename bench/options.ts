/** What every benchmark takes. */
export interface BenchOptions {
  /** Timed repetitions of each case; cases take turns, so that a busy machine slows all of them. */
  readonly rounds: number
  /** Latents of `train`, precisions (`sae-quality` takes the first), which steps are timed, and the share of dead latents. */
  readonly latents: number
  readonly precisions: readonly string[]
  readonly steps: readonly string[]
  readonly dead: number
  /** Rows that each case of `train` learns from in one go, instead of being timed in turns. */
  readonly tokens?: number | undefined
  /** Architectures of `train` and `sae-quality`; each has its own where none are named. */
  readonly architectures?: readonly string[] | undefined
  /** Sparsities and epochs of `sae-quality`. */
  readonly k: readonly number[]
  readonly epochs: number
  /** Where `sae-quality` keeps its results, table and plot. */
  readonly output?: string | undefined
}
