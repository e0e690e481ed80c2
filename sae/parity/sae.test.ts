import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { type TensorData, writeSafetensors } from '../../engine/safetensors.ts'
import { tf } from '../../engine/tf.ts'
import { sharedCase } from '../../tests/shared-data.ts'
import { agrees, verifySae } from './sae.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'verify-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const [width, latents, rows] = [16, 48, 32]

/** A ReLU SAE, and rows of that scale with the values that float64 gives of them. */
async function case64(scale: number, wrong = 1): Promise<[sae: string, reference: Record<string, TensorData>]> {
  const random = new Random(3, 'verify')
  const draw = (count: number, by = 1) => Float32Array.from({ length: count }, () => by * random.normal())
  const [W_enc, W_dec, x] = [draw(width * latents, 0.25), draw(latents * width, 0.25), draw(rows * width, scale)]
  const z = new Float64Array(rows * latents)
  const y = new Float64Array(rows * width)
  for (let r = 0; r < rows; r++)
    for (let j = 0; j < latents; j++) {
      for (let i = 0; i < width; i++) z[r * latents + j]! += x[r * width + i]! * W_enc[i * latents + j]!
      z[r * latents + j] = Math.max(0, z[r * latents + j]!)
      for (let i = 0; i < width; i++) y[r * width + i]! += z[r * latents + j]! * W_dec[j * width + i]!
    }
  const sae = await mkdtemp(join(folder, 'sae-'))
  await writeFile(join(sae, 'cfg.json'), JSON.stringify({ architecture: 'standard', metadata: {} }))
  await writeSafetensors(join(sae, 'sae_weights.safetensors'), {
    W_enc: { shape: [width, latents], data: W_enc.map(value => value * wrong) },
    W_dec: { shape: [latents, width], data: W_dec },
    b_enc: { shape: [latents], data: new Float32Array(latents) },
    b_dec: { shape: [width], data: new Float32Array(width) },
  })
  return [
    sae,
    {
      x: { shape: [rows, width], data: x },
      latents: { shape: [rows, latents], data: Float32Array.from(z) },
      reconstruction: { shape: [rows, width], data: Float32Array.from(y) },
    },
  ]
}

async function verified(sae: string, reference: Record<string, TensorData>) {
  const path = join(sae, 'expected.safetensors')
  await writeSafetensors(path, reference)
  return verifySae(sae, path)
}

describe('an SAE is held to its values', () => {
  test.each([0.01, 1, 100, 1e4])('a correct one passes on rows of deviation %d', async scale => {
    const before = tf.memory().numTensors
    const found = await verified(...(await case64(scale)))
    expect(agrees(found, 1e-5)).toBe(true)
    expect(found.scale.latents).toBeGreaterThan(scale)
    expect(tf.memory().numTensors).toBe(before)
  })
  test.each([1, 100, 1e4])('one that is off by a thousandth fails on rows of deviation %d', async scale =>
    expect(agrees(await verified(...(await case64(scale, 1.001))), 1e-5)).toBe(false),
  )
  test('values that are none agree with nothing', async () => {
    const [sae, reference] = await case64(1)
    const latents = Float32Array.from(reference.latents!.data)
    latents[7] = Number.NaN
    const found = await verified(sae, { ...reference, latents: { ...reference.latents!, data: latents } })
    expect(found.latents).toBeNaN()
    expect(agrees(found, 1)).toBe(false)
  })
})

describe('rows of a reference', () => {
  test('may have a batch and positions', async () => {
    const [sae, reference] = await case64(1)
    const deep = Object.entries(reference).map(([name, { shape, data }]) => [name, { shape: [4, 8, shape[1]!], data }])
    const found = await verified(sae, Object.fromEntries(deep))
    expect([found.rows, agrees(found, 1e-5)]).toEqual([rows, true])
  })
  test.each([
    ['none', { x: { shape: [0, width], data: new Float32Array(0) } }, `has no rows: its shape is [0,${width}]`],
    [
      'another width',
      { x: { shape: [rows * 2, width / 2], data: new Float32Array(rows * width) } },
      `must be [rows, ${width}]`,
    ],
    ['one row without its axis', { x: { shape: [width], data: new Float32Array(width) } }, `must be [rows, ${width}]`],
    [
      'fewer than latents',
      { x: { shape: [1, width], data: new Float32Array(width) } },
      'has 1 rows of x, but 32 of latents',
    ],
  ])('that are %s are refused', async (_, changed, sentence) => {
    const [sae, reference] = await case64(1)
    await expect(verified(sae, { ...reference, ...changed })).rejects.toThrow(sentence)
  })
})

const cases = sharedCase('sae', 'imp')
describe.skipIf(!cases)('SAEs with values of SAELens itself', () => {
  test.each(['big-x10', 'big-x100'])('%s agree', async name => {
    const found = await verifySae(join(cases!, name), join(cases!, name, 'expected.safetensors'))
    expect(agrees(found, 1e-5)).toBe(true)
  })
})
