/** What the functions of this room refuse: a statistic of a missing or infinite number would be a number all the same. */
import { UserError } from '../core/errors.ts'

/** Refuses an array with fewer than `least` values or with one that is not a finite number. */
export function checkValues(name: string, values: ArrayLike<number>, least = 1): void {
  if (values.length < least) {
    throw new UserError(
      `${name} must have at least ${least} ${least === 1 ? 'value' : 'values'}, but has ${values.length}.`,
      { fix: 'Give the statistic more values, or report it as missing.' },
    )
  }
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new UserError(`${name} must be finite numbers, but ${name}[${i}] is ${values[i]}.`, {
        fix: 'Leave out what was not measured before the statistic is computed, and report how many were left out.',
      })
    }
  }
}

/** Refuses arrays that should be parallel and are not. */
export function checkParallel(
  name: string,
  values: ArrayLike<unknown>,
  other: string,
  otherValues: ArrayLike<unknown>,
): void {
  if (values.length === otherValues.length) return
  throw new UserError(
    `${name} and ${other} must be equally long, but have ${values.length} and ${otherValues.length} values.`,
    { fix: 'Give one value of each for every observation.' },
  )
}

/** Refuses a number that is not finite or lies outside [low, high]. */
export function checkNumber(name: string, value: number, low = -Infinity, high = Infinity): void {
  if (Number.isFinite(value) && value >= low && value <= high) return
  const rule =
    low === -Infinity && high === Infinity
      ? 'a finite number'
      : high === Infinity
        ? `a finite number of at least ${low}`
        : low === -Infinity
          ? `a finite number of at most ${high}`
          : `a number from ${low} to ${high}`
  throw new UserError(`${name} must be ${rule}, but is ${value}.`, { fix: `Change ${name}.` })
}

/** Refuses a number that does not lie strictly between `low` and `high`, such as a level or an α. */
export function checkBetween(name: string, value: number, low: number, high: number): void {
  if (value > low && value < high) return
  throw new UserError(`${name} must lie between ${low} and ${high}, but is ${value}.`, { fix: `Change ${name}.` })
}

/** Refuses a number that is not whole or is below `least`. */
export function checkCount(name: string, value: number, least = 0): void {
  if (Number.isSafeInteger(value) && value >= least) return
  throw new UserError(`${name} must be a whole number of at least ${least}, but is ${value}.`, {
    fix: `Change ${name}.`,
  })
}

/** Refuses labels other than 0 and 1. */
export function checkLabels(name: string, labels: ArrayLike<number>): void {
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 0 && labels[i] !== 1) {
      throw new UserError(`${name} must be 0 or 1, but ${name}[${i}] is ${labels[i]}.`, {
        fix: 'Give 1 for a positive and 0 for a negative.',
      })
    }
  }
}
