/** What changes over training: learning rate, sparsity, k. Steps count from 0; lengths are in steps. */

export interface RateSchedule {
  readonly learningRate: number
  /** `constant` holds the rate; `linear` does until `decay` steps before the end; `cosine` falls from the end of warm-up. */
  readonly schedule: 'constant' | 'linear' | 'cosine'
  readonly warmUp: number
  readonly decay: number
  /** The rate at the end, as a share of the learning rate. */
  readonly finalRate: number
  /** Whether the first step of warm-up has rate 0 (as dictionary_learning has it) instead of 1/warmUp. */
  readonly warmUpFromZero: boolean
}

/** The learning rate of a step out of `total`. */
export function rateAt(schedule: RateSchedule, step: number, total: number): number {
  const { learningRate, warmUp, decay, finalRate } = schedule
  if (step < warmUp) return (learningRate * (step + (schedule.warmUpFromZero ? 0 : 1))) / warmUp
  if (schedule.schedule === 'cosine') {
    const share = (step - warmUp) / Math.max(1, total - warmUp)
    return learningRate * (finalRate + (1 - finalRate) * 0.5 * (1 + Math.cos(Math.PI * share)))
  }
  const left = total - step
  if (schedule.schedule === 'constant' || left > decay) return learningRate
  return learningRate * (finalRate + ((1 - finalRate) * left) / decay)
}

/** The share of the sparsity coefficient that applies at a step: linear from 0 over `warmUp` steps. */
export function sparsityAt(warmUp: number, step: number): number {
  return warmUp > 0 ? Math.min(1, step / warmUp) : 1
}

/** k of a step when it falls linearly from `from` to `to` over `steps`. */
export function kAt(from: number, to: number, steps: number, step: number): number {
  if (step >= steps) return to
  return Math.trunc(from + ((to - from) * step) / steps)
}
