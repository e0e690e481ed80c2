/** Sizes of a config against the weights: what their shapes cannot hold is refused before it is allocated or looped over. */
import { UserError } from '../core/errors.ts'
import type { Outline } from './architecture.ts'

/** Shapes of tensors by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>

/** Throws a `UserError` for a size that no tensor has room for, and for more layers than there are tensors. */
export function checkSizes({ config, positions }: Omit<Outline, 'block'>, given: Shapes, where: string): void {
  let side = 0
  for (const shape of given.values()) for (const size of shape) side = Math.max(side, size)
  const most: [what: string, size: number, most: number, held: string][] = [
    ['layers', config.layers, given.size, `${given.size} tensors`],
    ...(
      [
        ['a width', config.width],
        ['a vocabulary', config.vocabulary],
        ['an MLP width', config.mlpWidth],
        ['heads', config.heads],
        ['key/value heads', config.kvHeads],
        ['a head size', config.headDim],
        ['all its heads together', config.heads * config.headDim],
        ...(positions ? ([['positions', config.context]] as const) : []),
      ] as const
    ).map(([what, size]): [string, number, number, string] => [what, size, side, `tensors of at most ${side} a side`]),
  ]
  for (const [what, size, largest, held] of most)
    if (size > largest)
      throw new UserError(
        `${where} asks for ${what.startsWith('a') ? `${what} of ${size}` : `${size} ${what}`}, but its weights hold ${held}.`,
        { fix: 'Check that config.json belongs to these weights and that every shard is there.' },
      )
}
