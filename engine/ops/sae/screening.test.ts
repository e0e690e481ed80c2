import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../../core/random.ts'
import type { InstructionSet } from '../../isa.ts'
import { type Tensor1D, type Tensor2D, tf } from '../../tf.ts'
import { availableInstructions, opInstructions, setOpInstructions, setOpThreads } from '../native.ts'
import { everyWay, opsTestable, startOps } from '../testing.ts'
import { type TopKEncodeOptions, topKEncode } from './encode.ts'
import { type Screened, shareInQuestion } from './screening.ts'
import { type Entries, thresholdEncode } from './threshold.ts'

/** Instruction sets that have products of whole numbers. */
const sets = () => availableInstructions().filter(set => set !== 'plain')

/** Runs `check` at each of them, with one thread and with five. */
const everySet = (check: (name: string) => void) => everyWay(check, sets())

interface Case {
  readonly x: Tensor2D
  readonly weight: Tensor2D
  readonly bias?: Tensor1D
  readonly scale?: Tensor1D
}

/** Numbers of a seed, each made by `value` from a draw of the normal distribution and its row and column. */
function matrix(
  shape: [number, number],
  seed: number,
  value = (z: number, _row: number, _column: number) => z,
): Tensor2D {
  const random = new Random(seed, 'screening')
  const [rows, columns] = shape
  const data = Float32Array.from({ length: rows * columns }, (_, i) =>
    value(random.normal(), Math.floor(i / columns), i % columns),
  )
  return tf.tensor2d(data, shape)
}
const vector = (size: number, seed: number, value = (z: number, _i: number) => z) =>
  matrix([1, size], seed, (z, _, i) => value(z, i)).reshape([size]) as Tensor1D

/** Places at which two arrays differ in any bit; NaN equals NaN. */
function differing(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let count = Math.abs(a.length - b.length)
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (!Object.is(a[i], b[i])) count++
  return count
}

/** Holds a top-k at the instruction set in use to the dense kernel’s; returns what screening told. */
function compare({ x, weight, bias, scale }: Case, k: number, floor: number, name: string): Screened {
  const options: TopKEncodeOptions = { k, bias: bias ?? null, scale, floor, layout: 'out-in' }
  const before = tf.memory().numTensors
  let told: Screened | undefined
  const dense = topKEncode(x, weight, { ...options, screening: 'off' })
  const screened = topKEncode(x, weight, { ...options, screening: 'always', screened: report => (told = report) })
  expect(differing(screened.indices.dataSync(), dense.indices.dataSync()), `latents, k ${k}, ${name}`).toBe(0)
  expect(differing(screened.values.dataSync(), dense.values.dataSync()), `values, k ${k}, ${name}`).toBe(0)
  tf.dispose([...Object.values(dense), ...Object.values(screened)])
  expect(tf.memory().numTensors, name).toBe(before)
  return told!
}

/** The same at every instruction set; what each call told. */
function expectDense(given: Case, ks: readonly number[], floor = 0): Screened[] {
  const told: Screened[] = []
  everySet(name => {
    for (const k of ks) told.push(compare(given, k, floor, name))
  })
  return told
}

const disposeCase = (given: Case) => tf.dispose([...Object.values(given)])
const parts = (entries: Entries) => [entries.starts, entries.indices, entries.values]

function expectDenseEntries({ x, weight, bias }: Case, bounds: Tensor1D): void {
  everySet(name => {
    const options = { bias: bias ?? null, bounds, layout: 'out-in', limit: 2 ** 30 } as const
    const before = tf.memory().numTensors
    const dense = parts(thresholdEncode(x, weight, { ...options, screening: 'off' })!)
    const screened = parts(thresholdEncode(x, weight, { ...options, screening: 'always' })!)
    for (const [i, part] of dense.entries())
      expect(
        differing(screened[i]!.dataSync(), part.dataSync()),
        `${['starts', 'latents', 'values'][i]}, ${name}`,
      ).toBe(0)
    tf.dispose([...dense, ...screened])
    expect(tf.memory().numTensors, name).toBe(before)
  })
}

/** Rows and latents that are hard for bounds or for the choice. */
const hard: Readonly<Record<string, () => Case>> = {
  'all rows and latents alike': () => ({ x: tf.ones([40, 64]), weight: tf.ones([1500, 64]) }),
  'many latents alike': () => ({
    x: matrix([40, 64], 1),
    weight: tf.tidy(() => matrix([30, 64], 2).tile([50, 1]) as Tensor2D),
  }),
  'zeros among rows, latents and biases': () => ({
    x: matrix([40, 48], 1, (z, row) => (row % 3 === 0 ? 0 : z)),
    weight: matrix([1200, 48], 2, (z, row) => (row % 4 === 1 ? 0 : z)),
    bias: vector(1200, 3, (z, i) => (i % 5 === 0 ? 0 : 0.1 * z)),
  }),
  'all zeros': () => ({ x: tf.zeros([35, 40]), weight: tf.zeros([1100, 40]), bias: tf.zeros([1100]) }),
  'one dimension of 1e4, constant': () => ({
    x: matrix([70, 96], 1, (z, _, column) => (column === 7 ? 1e4 + z : z)),
    weight: matrix([1500, 96], 2),
  }),
  'one dimension of 1e4, of either sign': () => ({
    x: matrix([70, 96], 1, (z, _, column) => (column === 7 ? 1e4 * z : z)),
    weight: matrix([1500, 96], 2),
  }),
  'numbers too small to be normal': () => ({
    x: matrix([40, 48], 1, (z, row) => (row % 2 ? 1e-39 * z : 1e-20 * z)),
    weight: matrix([1200, 48], 2, (z, row) => (row % 3 ? 1e-19 * z : 1e-40 * z)),
  }),
  'numbers of all sizes': () => ({
    x: matrix([40, 48], 1, (z, row) => z * 10 ** (row - 20)),
    weight: matrix([1200, 48], 2, (z, row) => z * 10 ** ((row % 29) - 14)),
  }),
  'numbers whose squares overflow': () => ({
    x: matrix([40, 48], 1, (z, row) => (row === 3 ? 1e25 * z : z)),
    weight: matrix([1200, 48], 2, (z, row) => (row === 700 ? 1e22 * z : z)),
  }),
  'infinite and NaN rows': () => ({
    x: matrix([70, 48], 1, (z, row, column) =>
      column !== 5 || row % 30 > 2 ? z : [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY][row % 30]!,
    ),
    weight: matrix([1200, 48], 2),
  }),
  'infinite and NaN latents': () => ({
    x: matrix([40, 48], 1),
    weight: matrix([1200, 48], 2, (z, row, column) =>
      column !== 5 || row > 1 ? z : row === 0 ? Number.NaN : Number.POSITIVE_INFINITY,
    ),
  }),
  'whole numbers, of which many sums are equal': () => ({
    x: matrix([60, 30], 1, z => Math.round(z)),
    weight: matrix([2000, 30], 2, z => Math.round(z)),
    bias: vector(2000, 3, z => Math.round(z)),
  }),
  'factors, some of them zero': () => ({
    x: matrix([60, 70], 1),
    weight: matrix([1300, 70], 2),
    bias: vector(1300, 3),
    scale: vector(1300, 4, (z, i) => (i % 7 === 0 ? 0 : Math.exp(z))),
  }),
  'a large bias each': () => ({
    x: matrix([60, 70], 1),
    weight: matrix([1300, 70], 2, z => 0.01 * z),
    bias: vector(1300, 3, z => 100 + 1e-4 * z),
  }),
  'signs alone, of which some rows are latents too': () => ({
    x: matrix([40, 200], 1, Math.sign),
    weight: tf.tidy(
      () => tf.concat([matrix([1300, 200], 1, Math.sign), matrix([40, 200], 1, z => -Math.sign(z))]) as Tensor2D,
    ),
  }),
  'two of the largest numbers in every sum of 16 bits, and next to none else': () => ({
    x: matrix([40, 256], 1, (z, _, column) => (column % 64 < 4 ? Math.sign(z) : 1e-3 * z)),
    weight: matrix([1500, 256], 2, (z, row, column) =>
      column % 64 < 4 ? (row % 3 ? Math.sign(z) : (row % 2) - 0.5) : 1e-3 * z,
    ),
  }),
  'rows and latents along one half step alone': () => ({
    x: matrix([40, 192], 1, (z, row, column) =>
      column >> 6 === row % 3 && (column >> 1) % 2 ? 3 + 0.1 * z : 1e-4 * z,
    ),
    weight: matrix([1500, 192], 2, (z, row, column) =>
      column >> 6 === row % 3 && (column >> 1) % 2 ? (row % 2 ? 2 : -2) + 0.1 * z : 1e-4 * z,
    ),
  }),
  'a width that cuts the depth': () => ({ x: matrix([37, 900], 1), weight: matrix([1050, 900], 2) }),
  'a width of one, and few latents': () => ({ x: matrix([33, 1], 1), weight: matrix([45, 1], 2) }),
}

describe.skipIf(!opsTestable)('screening', () => {
  beforeAll(() => startOps())

  test.each(Object.keys(hard))('gives the dense kernel’s top-k and entries to the bit: %s', name => {
    const given = hard[name]!()
    const [latents] = given.weight.shape
    expectDense(given, [1, 20, Math.min(latents, 300)])
    expectDense(given, [7], 2.5)
    const bounds = [
      vector(latents, 5, (z, i) => (i % 11 === 0 ? Number.POSITIVE_INFINITY : 8 + z)),
      tf.zeros([latents]) as Tensor1D,
    ]
    for (const bound of bounds) expectDenseEntries(given, bound)
    tf.dispose(bounds)
    disposeCase(given)
  })

  test('leaves a few per cent in question on random rows, and no more where a large mean is added', () => {
    const [x, weight] = [matrix([128, 256], 1), matrix([4096, 256], 2)]
    const moved = x.add<Tensor2D>(vector(256, 3, (z, i) => (i === 9 ? 30 : 0.5 * z)))
    const share = (rows: Tensor2D) => expectDense({ x: rows, weight }, [32]).map(each => each.candidates / 128 / 4096)
    for (const [i, found] of share(x).entries()) expect(found, String(i)).toBeLessThan(0.08)
    for (const [i, found] of share(moved).entries()) expect(found, String(i)).toBeLessThan(0.08)
    tf.dispose([x, weight, moved])
  })

  test('gives up after the first rows where latents are too alike, and the dense kernel does the rest', () => {
    const [x, weight] = [matrix([500, 64], 1), tf.tidy(() => matrix([1, 64], 2).tile([2048, 1]) as Tensor2D)]
    let told: Screened | undefined
    const made = topKEncode(x, weight, { k: 8, layout: 'out-in', screened: report => (told = report) })
    expect(told!.left).toBeGreaterThan(370)
    tf.dispose([x, weight, ...Object.values(made)])
  })

  test('leaves all to the dense kernel where latents become too alike, and the result stays that kernel’s', () => {
    const [x, own, common] = [matrix([500, 64], 1), matrix([2048, 64], 2), matrix([1, 64], 3)]
    everySet(name => {
      const shares = [0, 0.9, 0.99, 0.999, 1].map(alike => {
        const weight = tf.tidy(() => own.mul(1 - alike).add<Tensor2D>(common.mul(alike)))
        let told: Screened | undefined
        const screened = topKEncode(x, weight, { k: 8, layout: 'out-in', screened: report => (told = report) })
        const dense = topKEncode(x, weight, { k: 8, layout: 'out-in', screening: 'off' })
        expect(differing(screened.indices.dataSync(), dense.indices.dataSync()), `${alike}, ${name}`).toBe(0)
        expect(differing(screened.values.dataSync(), dense.values.dataSync()), `${alike}, ${name}`).toBe(0)
        tf.dispose([weight, ...Object.values(screened), ...Object.values(dense)])
        return shareInQuestion(told!, 500, 2048)
      })
      expect(shares[0], name).toBeLessThan(0.1)
      // All rows after the first, which show that it does not pay, are the dense kernel's.
      for (const share of shares.slice(2)) expect(share, name).toBeGreaterThan(0.75)
    })
    tf.dispose([x, own, common])
  })

  test('is used where the instructions have products of whole numbers, and else every row is left', () => {
    const before = opInstructions() as InstructionSet
    const [x, weight] = [matrix([70, 40], 1), matrix([1500, 40], 2)]
    for (const set of availableInstructions()) {
      setOpInstructions(set)
      for (const screening of ['off', 'auto', 'always'] as const) {
        let told: Screened | undefined
        const made = topKEncode(x, weight, { k: 3, layout: 'out-in', screening, screened: report => (told = report) })
        const used = screening !== 'off' && set !== 'plain'
        if (process.arch === 'x64') expect([set, screening, told!.used]).toEqual([set, screening, used])
        tf.dispose(Object.values(made))
      }
    }
    setOpInstructions(before)
    tf.dispose([x, weight])
  })

  const long = Boolean(process.env.PIPELINE_LONG)
  const rowsInAll = long ? 1_000_000 : 4096
  test(`equals the dense kernel on ${rowsInAll} random rows`, { timeout: long ? 3_600_000 : 60_000 }, () => {
    const before = opInstructions() as InstructionSet
    const random = new Random(11, 'screening-cases')
    for (let seen = 0, round = 0; seen < rowsInAll; round++) {
      const rows = 1 + random.int(long ? 8192 : 512)
      const width = 1 + random.int(random.uniform() < 0.2 ? 400 : 100)
      const latents = 1 + random.int(3000)
      const grid = random.uniform() < 0.3 ? 1 + random.int(8) : 0
      const spread = random.uniform() < 0.3 ? 3 : 0
      const draw = (z: number, row: number) => {
        const sized = z * 2 ** (spread * ((row * 7919) % 5))
        return grid ? Math.round(sized * grid) / grid : sized
      }
      const given: Case = {
        x: matrix([rows, width], 1000 + round, draw),
        weight: matrix([latents, width], 2000 + round, draw),
        ...(random.uniform() < 0.5 ? { bias: vector(latents, 3000 + round) } : {}),
        ...(random.uniform() < 0.3 ? { scale: vector(latents, 4000 + round, z => Math.exp(0.3 * z)) } : {}),
      }
      const k = 1 + random.int(Math.min(latents, 64))
      // Each round at the next instruction set, with one thread and with five in turns.
      setOpInstructions(sets()[round % sets().length]!)
      setOpThreads(round % 2 ? 1 : 5)
      compare(given, k, random.uniform() < 0.2 ? 1 : 0, `round ${round} at ${opInstructions()}`)
      disposeCase(given)
      seen += rows
    }
    setOpThreads(2)
    setOpInstructions(before)
  })
})
