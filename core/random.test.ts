/**
 * Known answers, so that a seed gives the same bytes in every version. The stream's bits come from another program: the
 * Rust crate rand_xoshiro 0.6.0 (`Xoshiro128StarStar`), which itself is held to Blackman and Vigna's C code. What is built
 * on them (seeds, normal numbers, orders) was computed from those bits by a program of its own in Python, whose whole
 * numbers have no size and whose logarithms and sines are those of the GNU C library.
 */
import { describe, expect, test } from 'vitest'
import { sha256 } from './hash.ts'
import { Random, uniformOf, uniformsOf } from './random.ts'

const times = <T>(n: number, draw: () => T): T[] => Array.from({ length: n }, draw)

/** sha256 of 32-bit numbers as little-endian bytes. */
const hashOf = (values: Uint32Array | Float32Array) =>
  sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))

describe('the stream', () => {
  test('is xoshiro128**: the first ten words from the state 1, 2, 3, 4', () => {
    const random = Random.restore([1, 2, 3, 4, null])
    expect(times(10, () => random.bits())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ])
  })

  test('of a seed begins in the state that its hash gives', () => {
    expect(new Random(0).save()).toEqual([1768809451, 1501107092, 1764004695, 145400319, null])
    expect(new Random(1).save()).toEqual([36802768, 1642334918, 3505724029, 3892950913, null])
    expect(new Random(7, 'init').save()).toEqual([3460724876, 4234494634, 3902695638, 892873311, null])
  })

  test.each([
    [[0], [607683927, 3233220430, 961725945, 796966622]],
    [[1], [2331142932, 1531537847, 59679101, 1351646514]],
    [
      [7, 'init'],
      [3864786214, 2747930930, 2417594332, 3938942913],
    ],
    [
      [7, 'shuffle'],
      [2848161090, 4090758323, 2206689117, 1826813882],
    ],
    [
      [2 ** 40 + 5, 'ü😀', 0.25],
      [2368537397, 3913849502, 2183913366, 266564736],
    ],
    [
      [-3, ''],
      [208123837, 951472311, 4181652201, 1499843531],
    ],
  ])('of the seed %j has these words', (seed, words) => {
    const random = new Random(...seed)
    expect(times(4, () => random.bits())).toEqual(words)
  })

  test('has these first ten thousand words', () => {
    const random = new Random(42)
    expect(hashOf(Uint32Array.from(times(10_000, () => random.bits())))).toBe(
      '042b9da3b2397ffcca44b3cb01f6d55bccc71e4f429fe12449684c1989e6eb6f',
    )
  })

  test('is the same word by word and in one go', () => {
    const [one, other] = [new Random(5), new Random(5)]
    for (const count of [1, 0, 7, 100]) {
      expect([...one.fill(new Uint32Array(count))]).toEqual(times(count, () => other.bits()))
      expect(one.save()).toEqual(other.save())
    }
  })

  test('has the same normal numbers one by one and many at once, whatever was drawn before', () => {
    const [one, other] = [new Random(6), new Random(6)]
    for (const count of [3, 0, 1, 2, 2000, 5]) {
      expect([...one.normals(count)]).toEqual(times(count, () => Math.fround(other.normal())))
      expect(one.save()).toEqual(other.save())
    }
  })

  test('goes on from a saved state, also between the two normal numbers of a pair', () => {
    const random = new Random(3, 'checkpoint')
    for (let round = 0; round < 4; round++) {
      const copy = Random.restore(JSON.parse(JSON.stringify(random.save())))
      expect(times(3, () => random.normal())).toEqual(times(3, () => copy.normal()))
    }
  })
})

describe('numbers', () => {
  test('uniform ones have 53 bits: the 32 of one word and the upper 21 of the next', () => {
    const random = new Random(42)
    expect(times(3, () => random.uniform())).toEqual([0.053329869524859075, 0.31323293397810115, 0.5163889941979241])
  })

  test('whole ones below ten', () => {
    const random = new Random(42)
    expect(times(12, () => random.int(10))).toEqual([0, 3, 5, 4, 1, 2, 2, 1, 6, 2, 4, 0])
  })

  test('normal ones', () => {
    const random = new Random(42)
    const expected = [
      -0.12810328810281596, 0.3052846256780671, -1.1556331472377754, 0.34272559558430554, 0.18869287452940703,
    ]
    // Two libraries' sines may differ in the last bit.
    for (const value of expected) expect(Math.abs(random.normal() - value)).toBeLessThan(4e-16)
  })

  test('a thousand normal ones in float32, to the byte', () => {
    expect(hashOf(new Random(42).normals(1000, 0.5))).toBe(
      '67a6ec2177545877c619f054205996d814e4535491fb55fcc0f3fd0cb49f67a9',
    )
  })
})

describe('orders', () => {
  test('of twelve', () => {
    const order = new Random(42).shuffle(Array.from({ length: 12 }, (_, i) => i))
    expect(order).toEqual([9, 10, 8, 2, 11, 6, 7, 1, 4, 5, 3, 0])
  })

  test('of five thousand, to the byte', () => {
    const order = new Random(42).shuffle(Uint32Array.from({ length: 5000 }, (_, i) => i))
    expect(hashOf(order)).toBe('2b43c87c0bff2ff064308bd90a45c84c065ab1a875dc93c86bc5280025cdd687')
  })

  test('a sample has different items and leaves the list alone', () => {
    const letters = [...'abcdefgh']
    expect(new Random(42).sample(letters, 3)).toEqual(['a', 'd', 'f'])
    expect(letters.join('')).toBe('abcdefgh')
    expect(new Random(42).sample(letters, 99).sort()).toEqual(letters)
  })

  test('picks', () => {
    const random = new Random(42)
    expect(times(6, () => random.pick(['a', 'b', 'c'])).join('')).toBe('aabbaa')
  })
})

describe('a decision depends on its parts alone', () => {
  test.each([
    [[0], 0.4118330430587529],
    [[1, 2, 3], 0.48516410677851685],
    [['a'], 0.04223108408514009],
    [['ab'], 0.9398239271232643],
    [['a', 'b'], 0.20102047354303598],
    [[2 ** 33 + 1], 0.1505848761364763],
    [[0.5], 0.662526708335297],
    [[0, 'document', 12], 0.7307589873897645],
    [[-1], 0.7421252800923326],
    [['ü😀'], 0.920003052132324],
  ])('%j gives %d', (parts, value) => expect(uniformOf(...parts)).toBe(value))

  test('decisions of one key for many numbers are those of each by itself', () => {
    const draw = uniformsOf(7, 'capture', 'w1')
    for (const last of [0, 1, -1, 65_535, 2 ** 40, 0.5, 1]) expect(draw(last)).toBe(uniformOf(7, 'capture', 'w1', last))
  })
})
