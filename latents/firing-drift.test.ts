import { beforeAll, expect, test } from 'vitest'
import { silent } from '../core/progress.ts'
import { Random } from '../core/random.ts'
import type { Capture, CaptureManifest } from '../datasets/shards/index.ts'
import { startEngine } from '../engine/engine.ts'
import { tf } from '../engine/tf.ts'
import { firingDrift } from './firing-drift.ts'
import { oneHotSae } from './one-hot.fixture.ts'

beforeAll(() => startEngine())

const strata = [{ index: 0, values: {}, sample: 600, probability: 1 }]
const manifest = { windows: null, sampling: { fields: [], strata } }

/** Rows in which dimension i is 1 with the rate of i, else 0; twenty documents of thirty rows. */
function captured(seed: number, site: string, width: number, rates: (i: number) => number): Capture {
  const random = new Random('firing', seed)
  const values = Float32Array.from({ length: 600 * width }, (_, i) => (random.uniform() < rates(i % width) ? 1 : 0))
  return {
    ...{
      directory: 'made',
      manifest: manifest as unknown as CaptureManifest,
      rows: 600,
      sites: [{ name: site, width }],
    },
    read: async (_, rows) =>
      Float32Array.from(Array.from(rows).flatMap(row => [...values.subarray(row * width, (row + 1) * width)])),
    columns: async () => ({
      document: Uint32Array.from({ length: 600 }, (_, row) => Math.floor(row / 30) + 100 * seed),
      ...{ position: new Uint16Array(600), token: new Int32Array(600), stratum: new Uint16Array(600) },
      weight: new Float32Array(600).fill(1),
    }),
    readRange: () => Promise.reject(new Error('not read')),
    readRanges: () => Promise.reject(new Error('not read')),
    placeOf: row => `row ${row}`,
    verify: async () => {},
    close() {},
  }
}

test('a latent that fires more often in the other text drifts, the others and another draw of the text do not', async () => {
  const sae = oneHotSae()
  const site = sae.metadata.hook_name
  const pairs = Array.from({ length: sae.latents }, (_, i) => ({ a: i, b: i }))
  const options = { pairs, documents: 50, draws: 199, seed: 0, progress: silent }
  const side = (seed: number, rate: (i: number) => number) => ({ sae, capture: captured(seed, site, sae.width, rate) })
  const before = tf.memory().numTensors
  const drifted = (found: Awaited<ReturnType<typeof firingDrift>>) =>
    found.filter(({ adjusted }) => adjusted !== null && adjusted <= 0.01).map(({ latent }) => latent.a)
  const base = side(1, () => 0.3)
  expect(
    drifted(
      await firingDrift(
        base,
        side(2, () => 0.3),
        options,
      ),
    ),
  ).toEqual([])
  const moved = await firingDrift(
    base,
    side(2, i => (i === 1 ? 0.6 : 0.3)),
    options,
  )
  expect(drifted(moved)).toEqual([1])
  expect(moved[1]!.means[0]).toBeCloseTo(0.3, 1)
  expect(moved[1]!.means[1]).toBeCloseTo(0.6, 1)
  expect(tf.memory().numTensors).toBe(before)
  const other = { sae, capture: captured(1, 'hook_embed', sae.width, () => 0.3) }
  await expect(firingDrift(base, other, options)).rejects.toThrow(
    /The SAE reads .*, but the capture made has hook_embed/,
  )
  sae.dispose()
})
