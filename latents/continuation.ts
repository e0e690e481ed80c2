/** How a text goes on, token by token, in several ways that draw with the same numbers. */
import { Random } from '../core/random.ts'
import type { Tensor } from '../engine/tf.ts'

/** A way to go on: the text as it is, with the edit, or with a control. */
export interface Way {
  readonly kind: 'base' | 'edit' | 'random' | 'foreign'
  readonly id: number | null
}

/** What was written that way. */
export interface Continuation extends Way {
  readonly tokens: number[]
}

export interface ContinueOptions {
  /** Tokens to write, where the context has room for them. */
  readonly length: number
  /** 0 takes the likeliest token, of equal ones the lower id; else one is drawn. */
  readonly temperature: number
  readonly seed: number
  /** Tokens that the model reads at most. */
  readonly context: number
}

/** Gives the text so far, and which way it went on, to the model, and its last logits [1, 1, vocabulary] to `choose`. */
export type NextToken = (whole: Int32Array, way: number, choose: (logits: Tensor) => number) => number

/**
 * Goes on with a text in each of the ways, a token of each at a time. At a temperature each step has one number of the seed for all
 * ways, so that they differ by what was added alone.
 */
export function* continued(
  tokens: Int32Array,
  ways: readonly Way[],
  { length, temperature, seed, context }: ContinueOptions,
  next: NextToken,
): Generator<undefined, Continuation[]> {
  const random = new Random(seed, 'play', 'token')
  const made = ways.map((way): Continuation => ({ ...way, tokens: [] }))
  for (let step = 0; step < length && tokens.length + step < context; step++) {
    const drawn = random.uniform()
    const choose = (logits: Tensor) =>
      temperature === 0
        ? logits.argMax(-1).dataSync()[0]!
        : drawnFrom(logits.div(temperature).softmax(-1).dataSync() as Float32Array, drawn)
    for (const [way, one] of made.entries()) {
      one.tokens.push(next(Int32Array.from([...tokens, ...one.tokens]), way, choose))
      yield undefined
    }
  }
  return made
}

/** The place in which a number in [0, 1) falls, of shares that sum to 1. */
function drawnFrom(shares: Float32Array, number: number): number {
  let sum = 0
  for (let i = 0; i < shares.length; i++) {
    sum += shares[i]!
    if (number < sum) return i
  }
  // Shares of 32 bits may sum to a little less.
  return shares.findLastIndex(share => share > 0)
}
