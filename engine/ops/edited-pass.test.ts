import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { type Tensor, type Tensor2D, tf } from '../tf.ts'
import {
  cleanPass,
  editedPass,
  type PassBlock,
  type PassBlocks,
  type PassDocument,
  type PassEdits,
  plainCleanPass,
  plainEditedPass,
} from './edited-pass.ts'
import { type LogitChangesOptions, logitChanges, plainLogitChanges } from './logit-changes.ts'
import { everyWay, largestDifference, opsTestable, startOps } from './testing.ts'

interface Case extends Pick<PassBlocks, 'norm' | 'layout' | 'activation' | 'heads' | 'kvHeads' | 'headDim' | 'rotary'> {
  readonly width: number
  readonly hidden: number
  readonly blocks: number
  readonly positions: number
  readonly together: boolean
  readonly gated: boolean
  readonly biased: boolean
}

const gpt: Case = {
  ...{ width: 20, hidden: 35, blocks: 2, positions: 21, heads: 4, kvHeads: 4, headDim: 5 },
  ...{ together: true, gated: false, biased: true, layout: 'in-out', activation: 'tanh', rotary: null },
  norm: { kind: 'layer', epsilon: 1e-5 },
}
const llama: Case = {
  ...{ width: 64, hidden: 172, blocks: 3, positions: 40, heads: 8, kvHeads: 4, headDim: 8 },
  ...{ together: false, gated: true, biased: false, layout: 'out-in', activation: 'silu' },
  ...{ norm: { kind: 'rms', epsilon: 1e-6 }, rotary: { size: 8, pairs: 'halves' } },
}

const cases: Record<string, Case> = {
  'layer norms, biases, one product': gpt,
  'gates, rotation, shared keys': llama,
  'one block': { ...gpt, blocks: 1, activation: 'erf' },
  'no block': { ...llama, blocks: 0 },
  'part of a head in neighbouring pairs': {
    ...llama,
    ...{ headDim: 7, rotary: { size: 4, pairs: 'neighbours' }, biased: true, activation: 'relu', gated: false },
  },
  'wider than what is multiplied at once': { ...gpt, width: 272, hidden: 1040, headDim: 68, positions: 9 },
}

interface Made {
  readonly blocks: PassBlocks
  readonly document: PassDocument
  readonly bank: Tensor2D
  dispose(): void
}

function make(own: Case): Made {
  const random = new Random('edited pass')
  const kept: Tensor[] = []
  const normal = (shape: number[], deviation: number, mean = 0) => {
    const values = random
      .normals(
        shape.reduce((product, n) => product * n, 1),
        deviation,
      )
      .map(value => value + mean)
    const tensor = tf.tensor(values, shape)
    kept.push(tensor)
    return tensor
  }
  const { width, hidden, heads, kvHeads, headDim, positions } = own
  const [queries, keys] = [heads * headDim, kvHeads * headDim]
  const bias = (size: number) => (own.biased ? normal([size], 0.3) : null)
  const layer = (inputs: number, outputs: number) => ({
    weight: normal(own.layout === 'in-out' ? [inputs, outputs] : [outputs, inputs], inputs ** -0.5) as Tensor2D,
    bias: bias(outputs),
  })
  const norm = () => ({ gain: normal([width], 0.2, 1), bias: bias(width) })
  const blocks = Array.from(
    { length: own.blocks },
    (_, b): PassBlock => ({
      ...{ before: norm(), middle: norm(), q: layer(width, own.together ? queries + 2 * keys : queries) },
      ...{ k: own.together ? null : layer(width, keys), v: own.together ? null : layer(width, keys) },
      ...{ out: layer(queries, width), gate: own.gated ? layer(width, hidden) : null },
      ...{ up: layer(width, hidden), down: layer(hidden, width), scale: (1 + b) * headDim ** -0.5 },
    }),
  )
  const angles = own.rotary && normal([positions, headDim], 1)
  const signs = own.rotary && tf.tensor1d(Array.from({ length: headDim }, (_, i) => (i < own.rotary!.size ? 1 : 0)))
  const rotation =
    angles && signs
      ? { cos: tf.tidy(() => angles.mul(signs).cos()), sin: tf.tidy(() => angles.mul(signs).sin()) }
      : null
  kept.push(...(rotation ? [rotation.cos, rotation.sin, signs!] : []))
  return {
    blocks: { ...own, blocks, last: norm() },
    document: { x: normal([positions, width], 1) as Tensor2D, rotation },
    bank: normal([5, width], 0.5) as Tensor2D,
    dispose: () => tf.dispose(kept),
  }
}

/** Edits at the start, in the middle, at several positions, of two directions at one, at the last; one reads nothing. */
function editsOf(bank: Tensor2D, positions: number): PassEdits {
  const last = positions - 1
  const list: [entries: number[][], reads: number[]][] = [
    [[[0, 0, 1]], [0, 3, last]],
    [
      [
        [3, 1, -2],
        [5, 1, 0.5],
        [7, 2, 1],
      ],
      [3, 5, 7],
    ],
    [
      [
        [4, 2, 1],
        [4, 3, 0.7],
        [6, 3, -1],
      ],
      [4, 5, 6, 7, 8],
    ],
    [[[2, 1, 1]], []],
    [[[last, 4, 3]], [last]],
    [
      [
        [1, 4, 0.3],
        [last, 0, 2],
      ],
      Array.from({ length: last }, (_, i) => i + 1),
    ],
    // The last entry comes behind all that is read.
    [
      [
        [2, 0, 1],
        [6, 1, 1],
      ],
      [3, 4],
    ],
  ]
  const startsOf = (counts: number[]) =>
    Int32Array.from([0, ...counts], (_, i) => counts.slice(0, i).reduce((sum, n) => sum + n, 0))
  const entries = list.flatMap(([own]) => own)
  return {
    bank,
    entries: Int32Array.from(entries.flatMap(([position, direction]) => [position!, direction!])),
    changes: Float32Array.from(entries, entry => entry[2]!),
    starts: startsOf(list.map(([own]) => own.length)),
    reads: Int32Array.from(list.flatMap(([, reads]) => reads)),
    readStarts: startsOf(list.map(([, reads]) => reads.length)),
  }
}

const bytesOf = (tensor: Tensor) => new Uint8Array((tensor.dataSync() as Float32Array).slice().buffer)

describe.skipIf(!opsTestable)('edits of a document in one op', () => {
  beforeAll(() => startOps())

  test.each(Object.entries(cases))('change what whole passes change: %s', (_, own) => {
    const { blocks, document, bank, dispose } = make(own)
    const edits = editsOf(bank, own.positions)
    const expected = plainEditedPass(blocks, document, edits)
    const clean = plainCleanPass(blocks, document)
    const results: Uint8Array[] = []
    everyWay(name => {
      const before = tf.memory().numTensors
      const found = cleanPass(blocks, document)
      for (const key of ['queries', 'kv', 'last'] as const)
        expect(largestDifference(found[key], clean[key]), `${key}, ${name}`).toBeLessThan(3e-5)
      const changed = editedPass(blocks, { ...document, ...found }, edits)
      expect(changed.shape).toEqual(expected.shape)
      expect(largestDifference(changed, expected), name).toBeLessThan(5e-5)
      results.push(bytesOf(changed))
      tf.dispose([changed, found.queries, found.kv, found.last])
      expect(tf.memory().numTensors).toBe(before)
    })
    for (let i = 0; i < results.length; i += 2) expect(results[i + 1], 'any thread count').toEqual(results[i])
    tf.dispose([expected, clean.queries, clean.kv, clean.last])
    dispose()
  })

  test('an edit of nothing changes nothing, and an edit is the same with others and alone', () => {
    for (const own of [gpt, llama]) {
      const { blocks, document, bank, dispose } = make(own)
      const all = editsOf(bank, own.positions)
      everyWay(name => {
        tf.tidy(() => {
          const whole = { ...document, ...cleanPass(blocks, document) }
          const together = editedPass(blocks, whole, all).arraySync()
          for (let edit = 0; edit + 1 < all.starts.length; edit++) {
            const [from, to] = [all.starts[edit]!, all.starts[edit + 1]!]
            const [first, end] = [all.readStarts[edit]!, all.readStarts[edit + 1]!]
            const alone: PassEdits = {
              bank,
              entries: all.entries.subarray(2 * from, 2 * to),
              changes: all.changes.subarray(from, to),
              starts: Int32Array.of(0, to - from),
              reads: all.reads.subarray(first, end),
              readStarts: Int32Array.of(0, end - first),
            }
            expect(editedPass(blocks, whole, alone).arraySync(), `${edit}, ${name}`).toEqual(together.slice(first, end))
            const none = editedPass(blocks, whole, { ...alone, changes: new Float32Array(to - from) })
            expect(
              none.dataSync().every(value => value === 0),
              `${edit}, ${name}`,
            ).toBe(true)
          }
        })
      })
      dispose()
    }
  })

  test('refuses edits that do not fit the document', () => {
    const { blocks, document, bank, dispose } = make(gpt)
    tf.tidy(() => {
      const whole = { ...document, ...cleanPass(blocks, document) }
      const edits = editsOf(bank, gpt.positions)
      const refused = (more: Partial<PassEdits>, message: string) =>
        expect(() => editedPass(blocks, whole, { ...edits, ...more })).toThrow(message)
      const with_ = (list: Int32Array, at: number, value: number) =>
        Int32Array.from(list, (own, i) => (i === at ? value : own))
      refused({ entries: with_(edits.entries, 0, gpt.positions) }, 'entries must ascend by position')
      refused({ entries: with_(edits.entries, 1, 5) }, 'name directions of the bank')
      refused({ reads: with_(edits.reads, 3, 2) }, 'positions to read must ascend')
      refused({ starts: with_(edits.starts, 1, 0) }, 'each edit must have an entry')
      refused({ readStarts: with_(edits.readStarts, 0, 1) }, 'must be divided among the edits')
      expect(() => editedPass({ ...blocks, headDim: 4 }, whole, edits)).toThrow('edited pass: ')
    })
    dispose()
  })
})

describe.skipIf(!opsTestable)('changes of predictions in one op', () => {
  beforeAll(() => startOps())

  test.each([
    [1, 3, 5],
    [70, 20, 101],
    [3, 1100, 50],
  ])('agree with the plain version: %d rows of %d, %d tokens', (rows, width, vocabulary) => {
    const random = new Random('logit changes')
    const x = tf.tensor2d(random.normals(rows * width, 0.5), [rows, width])
    const weight = tf.tensor2d(random.normals(vocabulary * width, width ** -0.5), [vocabulary, width])
    const probabilities = tf.tidy(
      () => tf.tensor2d(random.normals(4 * vocabulary), [4, vocabulary]).softmax() as Tensor2D,
    )
    const positions = Int32Array.from({ length: rows }, (_, i) => i % 4)
    const next = Int32Array.from({ length: rows }, (_, i) => (i % 5 === 1 ? -1 : (i * 7) % vocabulary))
    const options: LogitChangesOptions = { weight, scale: 1.5, probabilities, positions, next }
    const expected = plainLogitChanges(x, options)
    const results: Uint8Array[] = []
    everyWay(name => {
      const found = logitChanges(x, options)
      expect(largestDifference(found, expected), name).toBeLessThan(3e-6)
      results.push(bytesOf(found))
      found.dispose()
    })
    for (let i = 0; i < results.length; i += 2) expect(results[i + 1], 'any thread count').toEqual(results[i])
    tf.dispose([x, weight, probabilities, expected])
  })

  test('changes of any size have the normaliser of float64: all that was likely falls, or one rises beyond e⁸⁸', () => {
    const p = [0.6, 0.4 - 1e-6, 1e-6, 0]
    const rows = [
      [-40, -35, -20, 0],
      [-9, -8, 30, 5],
      [0, 0, 200, 300],
      [-0.4, 0.3, 0, 0],
    ]
    const expected = rows.map(d => {
      const terms = d.flatMap((one, v) => (p[v]! > 0 ? [Math.log(Math.fround(p[v]!)) + one] : []))
      const top = Math.max(...terms)
      return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0))
    })
    tf.tidy(() => {
      const options = {
        ...{ weight: tf.eye(4) as Tensor2D, scale: 1, probabilities: tf.tensor2d([p]) },
        ...{ positions: new Int32Array(4), next: new Int32Array(4) },
      }
      const x = tf.tensor2d(rows)
      const hold = (found: number[][], name: string) =>
        found.forEach(([normaliser], i) => {
          expect(Math.abs(normaliser! - expected[i]!) / Math.abs(expected[i]!), `${name}, row ${i}`).toBeLessThan(1e-5)
        })
      hold(plainLogitChanges(x, options).arraySync(), 'plain')
      everyWay(name => hold(logitChanges(x, options).arraySync(), name))
    })
  })

  test('small changes have the KL of a second-order expansion, and none has none', () => {
    const [p, d] = [
      [0.5, 0.3, 0.2],
      [1e-4, -2e-4, 3e-4],
    ]
    const mean = p.reduce((sum, share, i) => sum + share * d[i]!, 0)
    const variance = p.reduce((sum, share, i) => sum + share * (d[i]! - mean) ** 2, 0)
    tf.tidy(() => {
      const weight = tf.eye(3)
      const probabilities = tf.tensor2d([p])
      const x = tf.tensor2d([d, [0, 0, 0]])
      const options = { weight, scale: 1, probabilities, positions: Int32Array.of(0, 0), next: Int32Array.of(2, 0) }
      everyWay(() => {
        const [moved, still] = logitChanges(x, options).arraySync() as number[][]
        expect((moved![0]! - moved![1]!) / (variance / 2)).toBeCloseTo(1, 2)
        expect(moved![2]).toBeCloseTo(3e-4, 9)
        expect(still).toEqual([0, 0, 0])
      })
    })
  })
})
