/** Weights that follow from their names, as pytorch.py makes them. */
import { type Tensor, tf } from '../../engine/tf.ts'
import { expectedShapes } from '../shapes.ts'
import { architectureOf } from './index.ts'

/** Values by the generator of Park and Miller from a seed made of the name; gains near 1, or 0 where 1 is added. */
export function namedWeight(name: string, shape: readonly number[]): Tensor {
  let state = 1
  for (const character of name) state = (state * 31 + character.charCodeAt(0)) % 65521
  const next = () => {
    state = (state * 48271) % 2147483647 || 1
    return (2 * state) / 2147483647 - 1
  }
  for (let i = 0; i < 8; i++) next()
  const gain = shape.length === 1 && name.endsWith('.weight')
  const values = Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, next)
  return tf.tensor(gain ? values.map(value => 1 + value / 4) : values, [...shape])
}

/** All weights of a config. */
export function namedWeights(config: unknown): Record<string, Tensor> {
  return Object.fromEntries(
    [...expectedShapes(architectureOf(config))].map(([name, shape]) => [name, namedWeight(name, shape)]),
  )
}
