/** Where an intervention edits: everywhere, at the last token, where the latent is active, or in a span. */
import { firstPosition } from '../../latents/activations.ts'

/** `all`, `last`, `active`, or a span `1-8` of positions, both ends among them. */
export type Positions = 'all' | 'last' | 'active' | { readonly from: number; readonly to: number }

/** Reads positions as they are written; undefined where the text says none. */
export function readPositions(text: string): Positions | undefined {
  if (text === 'all' || text === 'last' || text === 'active') return text
  const span = /^(\d+)-(\d+)$/.exec(text)
  if (!span) return undefined
  const [from, to] = [Number(span[1]), Number(span[2])]
  return from >= firstPosition && to >= from ? { from, to } : undefined
}

/** The positions of a window of `length` tokens, ascending; position 0 is never among them, and there may be none. */
export function positionsIn(where: Positions, length: number, active: Iterable<number>): number[] {
  if (where === 'active') return [...active].sort((a, b) => a - b)
  if (where === 'last') return length > firstPosition ? [length - 1] : []
  const { from, to } = where === 'all' ? { from: firstPosition, to: length - 1 } : where
  const count = Math.min(to, length - 1) - from + 1
  return Array.from({ length: Math.max(0, count) }, (_, i) => from + i)
}
