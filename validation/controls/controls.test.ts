import { describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import type { Activations } from '../../latents/activations.ts'
import { keepsTheContract } from './control.contract.ts'
import { likenessOf } from './firing.ts'
import { controlKinds, controls } from './index.ts'

const width = 8
const random = () => new Random('controls')
const decoder = new Random('decoder').normals(40 * width)
decoder.set(decoder.subarray(0, width), width) // latent 1 is a copy of latent 0
const source = {
  width,
  latent: 0,
  decoder,
  active: Array.from({ length: 30 }, (_, i) => i),
  sameConcept: new Set([7]),
  samples: new Random('samples').normals(50 * width),
  // Latent i fires less often, less strongly and at fewer of latent 0's tokens the larger it is.
  likeness: (latents: readonly number[]) =>
    latents.map(i => ({ logDensity: -3 - i / 10, logMean: -i / 20, together: 1 / (1 + i) })),
}

describe('the contract', () => {
  for (const kind of controlKinds) {
    keepsTheContract(controls[kind], source)
    test(`${kind} is its name in settings and evidence`, () => expect(controls[kind].name).toBe(kind))
  }
})

describe.each(['foreign', 'matched'] as const)('%s latents', kind => {
  test('are active ones, no copies, none of the same concept, none twice', () => {
    const { ids, directions } = controls[kind].draw({ ...source, random: random() }, 99)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [i, id] of ids.entries()) {
      expect(id).toBeLessThan(30)
      expect([0, 1, 7]).not.toContain(id)
      const cosine = directions
        .subarray(i * width, (i + 1) * width)
        .reduce((sum, x, j) => sum + (x * decoder[j]!) / Math.hypot(...decoder.subarray(0, width)), 0)
      expect(Math.abs(cosine)).toBeLessThanOrEqual(0.3 + 1e-6)
    }
  })
})

describe('matched latents', () => {
  test('are the nearest ones, nearest first', () => {
    const { ids } = controls.matched.draw({ ...source, random: random() }, 99)
    expect(ids).toEqual([...ids].sort((a, b) => a - b))
    expect(controls.matched.draw({ ...source, random: random() }, 3).ids).toEqual(ids.slice(0, 3))
  })

  test('are like the latent by density, mean activation and the tokens that they share, counted by hand', () => {
    // Two windows of four tokens, three each after position 0. Latent 0 fires at rows 0 and 4, latent 1 at 0, 3 and 4.
    const activations = {
      windows: [{ tokens: new Int32Array(4) }, { tokens: new Int32Array(4) }],
      tokens: 6,
      latents: 2,
      offsets: Float64Array.of(0, 2, 5),
      window: Uint32Array.of(0, 1, 0, 1, 1),
      position: Uint16Array.of(1, 2, 1, 1, 2),
      value: Float32Array.of(2, 4, 1, 1, 4),
    } as unknown as Activations
    const [own, other] = likenessOf(activations, 0, [0, 1])
    expect(own).toEqual({ logDensity: Math.log(2 / 6), logMean: Math.log(3), together: 1 })
    expect(other).toEqual({ logDensity: Math.log(3 / 6), logMean: Math.log(2), together: 1 })
    expect(likenessOf(activations, 1, [0])[0]!.together).toBeCloseTo(2 / 3, 12)
  })
})

test('covariance-matched directions lie where the samples vary', () => {
  const samples = Float32Array.from({ length: 50 * width }, (_, i) => (i % width === 3 ? (i % 7) - 3 : 0))
  const { directions } = controls.covariance.draw({ ...source, samples, random: random() }, 4)
  for (let i = 0; i < 4; i++) expect(Math.abs(directions[i * width + 3]!)).toBeCloseTo(1, 5)
  expect(controls.covariance.draw({ ...source, samples: new Float32Array(), random: random() }, 4).ids).toEqual([])
})
