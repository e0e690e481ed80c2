/** Gates: thresholds that a finished result is held to. They change nothing in it. */

/** A gate and what came of it. */
export interface Gate {
  readonly name: string
  readonly status: 'pass' | 'fail' | 'inconclusive'
  /** Null where there is no value, which leaves the gate undecided. */
  readonly value: number | null
  readonly threshold: number
}

/** The gate, if it is set: the value must be at least the threshold. What is no number leaves it undecided. */
export function atLeast(name: string, threshold: number | undefined, value: unknown): Gate[] {
  return judged(name, threshold, value, (a, b) => a >= b)
}

/** The gate, if it is set: the value must be at most the threshold. What is no number leaves it undecided. */
export function atMost(name: string, threshold: number | undefined, value: unknown): Gate[] {
  return judged(name, threshold, value, (a, b) => a <= b)
}

function judged(
  name: string,
  threshold: number | undefined,
  value: unknown,
  holds: (value: number, threshold: number) => boolean,
): Gate[] {
  if (threshold === undefined) return []
  if (typeof value !== 'number') return [{ name, status: 'inconclusive', value: null, threshold }]
  return [{ name, status: holds(value, threshold) ? 'pass' : 'fail', value, threshold }]
}
