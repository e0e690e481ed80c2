/** From logits to what the playground shows: tables of next tokens, the metric, and what each edit changed. */
import type { z } from 'zod'
import type { Next, PlayRow, play } from '../../dashboard/api/contracts/play.ts'
import type { Tokenizer } from '../../datasets/tokenizer/index.ts'
import type { Played } from '../../latents/playground.ts'

export interface Shown {
  readonly tokenizer: Pick<Tokenizer, 'token' | 'vocabulary'>
  readonly top: number
  readonly metric: { readonly target: number; readonly distractor: number | null } | null
  readonly units: { readonly from: string; known(latent: number): number | null }
}

type Answer = Pick<z.input<typeof play.answer>, 'edits' | 'base' | 'rows'>

/** The answer's edits, base and rows. */
export function playAnswer({ changes, base, rows }: Played, { tokenizer, top, metric, units }: Shown): Answer {
  // A vocabulary may be padded beyond the tokenizer's.
  const vocabulary = Math.min(base.length, tokenizer.vocabulary)
  const read = (logits: ArrayLike<number>) =>
    metric ? logits[metric.target]! - (metric.distractor === null ? 0 : logits[metric.distractor]!) : null
  const before = read(base)
  return {
    edits: changes.map(({ latent, positions, before, after }) => ({
      ...{ latent, unit: units.known(latent), unitFrom: units.from },
      ...{ positions: [...positions], before: [...before], after: [...after] },
    })),
    base: { next: tableOf(base, undefined, { tokenizer, top, vocabulary }), metric: before },
    rows: rows.map(
      ({ kind, id, norm, change, kl, meanKl }): z.input<typeof PlayRow> => ({
        ...{ kind, id, norm, kl, meanKl },
        next: tableOf(base, change, { tokenizer, top, vocabulary }),
        metric: before === null ? null : before + read(change)!,
        change: read(change),
      }),
    ),
  }
}

/** The likeliest next tokens, with what was changed of their logits. */
function tableOf(
  base: Float32Array,
  change: Float32Array | undefined,
  { tokenizer, top, vocabulary }: Pick<Shown, 'tokenizer' | 'top'> & { readonly vocabulary: number },
): z.input<typeof Next>[] {
  const logits = change ? base.map((value, i) => value + change[i]!) : base
  let largest = Number.NEGATIVE_INFINITY
  for (const value of logits) largest = Math.max(largest, value)
  let sum = 0
  for (const value of logits) sum += Math.exp(value - largest)
  return topOf(logits.subarray(0, vocabulary), top).map(({ index, value }, place) => ({
    ...{ token: index, text: tokenizer.token(index), p: Math.exp(value - largest) / sum },
    ...{ change: change?.[index] ?? 0, rank: place + 1 },
  }))
}

/** The largest values with their places, the largest first; of equal ones the earlier. */
export function topOf(values: ArrayLike<number>, count: number): { index: number; value: number }[] {
  const best: { index: number; value: number }[] = []
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!
    if (best.length === count && value <= best.at(-1)!.value) continue
    let place = best.length
    while (place > 0 && best[place - 1]!.value < value) place--
    best.splice(place, 0, { index, value })
    if (best.length > count) best.pop()
  }
  return best
}
