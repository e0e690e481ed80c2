import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { optimiserStep, zeroMoments } from './optimiser.ts'

beforeAll(() => startEngine())

const learningRate = 0.01

/** The change of one weight by one step along a gradient. */
function change(name: string, shape: number[], gradient: Float32Array): Float32Array {
  const weights = { [name]: tf.variable(tf.zeros(shape)) }
  const moments = zeroMoments(weights)
  const norm = optimiserStep(weights, moments, { [name]: tf.tensor(gradient, shape) }, { step: 1, learningRate })
  const after = weights[name]!.dataSync() as Float32Array
  tf.dispose([weights, moments, norm])
  return after.map(value => value / learningRate)
}

describe('an embedding', () => {
  test("moves at first by the learning rate against its gradient's sign (Adam)", () => {
    const moved = change('transformer.wte.weight', [2, 2], Float32Array.of(0.1, -0.2, 0.3, -0.4))
    moved.forEach((value, i) => {
      expect(value).toBeCloseTo(i % 2 === 0 ? -1 : 1, 4)
    })
  })
})

describe('a matrix of a block', () => {
  test.each([
    ['transformer.h.0.mlp.c_fc.weight', [4, 9], 0.2 * 3],
    ['transformer.h.0.mlp.c_proj.weight', [9, 4], 0.2 * 3],
    ['transformer.h.1.attn.c_attn.weight', [4, 12], 0.2 * 2],
  ])('%s moves by about as much in every direction (Muon)', (name, shape, scale) => {
    const [a, b] = shape as [number, number]
    const gradient = new Random(0, name).normals(a * b)
    const moved = change(name, shape, gradient).map(value => value / scale)
    const rows = name.includes('c_attn') ? [0, 4, 8].map(from => columns(moved, a, b, from, 4)) : [moved]
    for (const part of rows) {
      // Singular values of the direction lie between about 0.7 and 1.2: so does the root of each one's mean square.
      const squares = part.reduce((sum, value) => sum + value * value, 0) / Math.min(a, part.length / a)
      expect(Math.sqrt(squares)).toBeGreaterThan(0.7)
      expect(Math.sqrt(squares)).toBeLessThan(1.25)
    }
    const along = gradient.reduce((sum, value, i) => sum + value * moved[i]!, 0)
    expect(along).toBeLessThan(0)
  })
})

test('an update leaves no tensors behind but its norm', () => {
  const weights = { 'transformer.h.0.mlp.c_fc.weight': tf.variable(tf.ones([4, 4])), b: tf.variable(tf.ones([4])) }
  const moments = zeroMoments(weights)
  const gradients = { 'transformer.h.0.mlp.c_fc.weight': tf.ones([4, 4]), b: tf.ones([4]) }
  const before = tf.memory().numTensors
  const norm = optimiserStep(weights, moments, gradients, { step: 1, learningRate })
  expect(norm.dataSync()[0]).toBeCloseTo(Math.sqrt(20), 4)
  expect(tf.memory().numTensors).toBe(before + 1)
  tf.dispose([weights, moments, gradients, norm])
})

function columns(matrix: Float32Array, rows: number, width: number, from: number, count: number): Float32Array {
  return Float32Array.from(
    { length: rows * count },
    (_, i) => matrix[Math.floor(i / count) * width + from + (i % count)]!,
  )
}
