/**
 * What the metrics say of latents between two lines: how often each fired, and how far thresholds moved.
 *
 *   densityHistogram   latents by log10 of the share of rows on which they fired since the line before: first those that
 *                      never fired, then bins half a decade wide from 1e-6 (what is rarer is in the first) to 1
 *   thresholdMean, thresholdMin, thresholdMax   of the learned thresholds, where each latent has one
 *   thresholdChange    mean |θ − θ at the line before|, of learned thresholds or of the running one
 *
 * All of it is in a checkpoint, so that a resumed run writes the same lines.
 */
import type { State } from '../architecture.ts'
import type { StepSnapshot } from '../step/snapshot.ts'
import type { Stepper } from '../step/step.ts'

/** Lower edges of the bins, as log10 of the density; the last ends at 0. */
export const densityEdges: readonly number[] = Array.from({ length: 12 }, (_, i) => -6 + i / 2)

/** Latents by log10 of their density, the silent ones first. */
export function densityHistogram(counts: ArrayLike<number>, rows: number): number[] {
  const bins = new Array<number>(densityEdges.length + 1).fill(0)
  for (let i = 0; i < counts.length; i++) {
    const bin = counts[i] === 0 ? -1 : Math.floor((Math.log10(counts[i]! / rows) - densityEdges[0]!) * 2)
    bins[1 + (bin < 0 && counts[i]! > 0 ? 0 : Math.min(bin, densityEdges.length - 1))]!++
  }
  return bins
}

/** Watches one stepper; `look` is called once a line. */
export class Watch {
  private readonly stepper: Stepper
  private before: Float32Array | undefined

  constructor(stepper: Stepper) {
    this.stepper = stepper
  }

  /** The figures since the last look. */
  look(): Record<string, unknown> {
    const { stepper } = this
    const { counts, rows } = stepper.firing.recent
    const learned = learnedThresholds(stepper)
    const now = learned ?? runningThresholds(stepper.state)
    const figures: Record<string, unknown> = { densityHistogram: densityHistogram(counts, rows) }
    if (learned) Object.assign(figures, spreadOf(learned))
    if (now && this.before) figures.thresholdChange = meanChange(this.before, now)
    this.before = now
    stepper.firing.forget()
    return figures
  }

  /** What a checkpoint must hold beside the stepper's own. */
  save(): StepSnapshot['tensors'] {
    const { counts, rows } = this.stepper.firing.recent
    const saved: StepSnapshot['tensors'] = {
      'watch.counts': { shape: [counts.length], data: Float32Array.from(counts) },
      'watch.rows': { shape: [1], data: Float32Array.of(rows) },
    }
    if (this.before) saved['watch.thresholds'] = { shape: [this.before.length], data: this.before }
    return saved
  }

  /** Goes back to what `save` gave. */
  restore(saved: StepSnapshot['tensors']): void {
    const { recent } = this.stepper.firing
    recent.counts.set(saved['watch.counts']!.data)
    recent.rows = saved['watch.rows']!.data[0]!
    this.before = saved['watch.thresholds']?.data.slice()
  }
}

/** The threshold of each latent, where the architecture learns them. */
function learnedThresholds(stepper: Stepper): Float32Array | undefined {
  const threshold = stepper.weight('threshold')
  if (!threshold) return undefined
  const values = threshold.dataSync().slice() as Float32Array
  threshold.dispose()
  return stepper.own.thresholdForm === 'log' ? values.map(Math.exp) : values
}

/** The running threshold that inference will use, once there is one. */
function runningThresholds({ threshold }: State): Float32Array | undefined {
  return threshold === undefined || threshold < 0 ? undefined : Float32Array.of(threshold)
}

function spreadOf(values: Float32Array) {
  let [sum, low, high] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const value of values) {
    sum += value
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return { thresholdMean: sum / values.length, thresholdMin: low, thresholdMax: high }
}

function meanChange(before: Float32Array, now: Float32Array): number {
  let sum = 0
  for (let i = 0; i < now.length; i++) sum += Math.abs(now[i]! - before[i]!)
  return sum / now.length
}
