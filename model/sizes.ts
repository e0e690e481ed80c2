/** Sizes of a config against the weights: what their shapes cannot hold is refused before it is allocated or looped over. */
import { UserError } from '../core/errors.ts'
import type { Outline } from './architecture.ts'

/** Shapes of tensors by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>

/** Throws a `UserError` for a size that no tensor has room for, and for more layers than there are tensors. */
export function checkSizes({ config, positions }: Omit<Outline, 'block'>, given: Shapes, where: string): void {
  const refuse = (what: string, size: number, held: string) => {
    throw new UserError(`${where} asks for ${what} ${size}, but its weights hold ${held}.`, {
      fix: 'Check that config.json belongs to these weights and that every shard is there.',
    })
  }
  // A tensor without elements may say any other side.
  const shapes = [...given.values()].filter(shape => !shape.includes(0))
  if (config.layers > shapes.length) refuse('a number of layers of', config.layers, `${shapes.length} tensors`)
  const side = shapes.flat().reduce((most, size) => Math.max(most, size), 0)
  const sizes: [what: string, size: number][] = [
    ['a width of', config.width],
    ['a vocabulary of', config.vocabulary],
    ['an MLP width of', config.mlpWidth],
    ['a number of heads of', config.heads],
    ['a number of key/value heads of', config.kvHeads],
    ['a head size of', config.headDim],
    ['heads that together have a size of', config.heads * config.headDim],
  ]
  if (positions) sizes.push(['a number of positions of', config.context])
  for (const [what, size] of sizes) if (size > side) refuse(what, size, `no tensor with a side of more than ${side}`)
}
