/** Training from shards of float16 numbers: what is read, and what that does to the SAE. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeAtomic, writeJson } from '../../core/files.ts'
import { sha256 } from '../../core/hash.ts'
import { silent } from '../../core/progress.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { type CaptureManifest, encodeShard, floatsToHalves, openCapture } from '../../datasets/shards/index.ts'
import { startEngine } from '../../engine/engine.ts'
import { TrainConfig } from './config.ts'
import { plantedCapture } from './planted.fixture.ts'
import type { ActivationSource } from './rows.ts'
import { trainSae } from './train.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'sae-float16-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const planted = plantedCapture({ rows: 3000, width: 8, features: 16, active: 2, seed: 1 })

/** The planted rows in two shards of record batches that no block of the trainer fits. */
async function stored(dtype: 'float32' | 'float16') {
  const { rows, width } = planted
  const shards = []
  for (const [i, [from, to]] of [[0, 1700] as const, [1700, rows] as const].entries()) {
    const count = to - from
    const values = await planted.readRange('site', from, count)
    const bytes = encodeShard(
      {
        document: new Uint32Array(count),
        position: new Uint16Array(count),
        token: new Int32Array(count),
        stratum: new Uint16Array(count),
        weight: new Float32Array(count).fill(1),
        sites: [{ name: 'site', width, values: dtype === 'float16' ? floatsToHalves(values) : values }],
      },
      300,
    )
    const file = `shard-${i}.arrow`
    await writeAtomic(join(folder, dtype, file), bytes)
    shards.push({
      file,
      rows: count,
      bytes: bytes.length,
      sha256: sha256(bytes),
      windows: [i, i + 1] as [number, number],
    })
  }
  const manifest: CaptureManifest = {
    ...{
      schema: 3,
      model: { name: 'none', hash: '', family: 'none' },
      weight_processing: 'none',
      tokenizer: { hash: '' },
    },
    dataset: { name: '', hash: '', context: 1, bos: false, documents: 0, skipped: [], windows: {} },
    ...{ seed: 0, format: 'arrow', dtype, rows, batchRows: 300 },
    sites: [
      { name: 'site', width, statistics: { mean: [], variance: [], populationMean: [], norm: 0, rounding: null } },
    ],
    sampling: {
      ...{ fields: [], allocation: 'proportional', tokens: null, pilot: null, excludePositions: [], excludeTokens: [] },
      ...{ positionBands: [], frequencyBands: [], population: rows, strata: [] },
    },
    ...{ audit: null, shards, windows: null },
  }
  await writeJson(join(folder, dtype, 'capture.json'), manifest)
  return openCapture(join(folder, dtype))
}

async function train(name: string, capture: ActivationSource) {
  const settings = { latents: 24, k: 2, batchTokens: 256, epochs: 12, learningRate: 0.01 }
  const context = { directory: join(folder, name), seed: 3, progress: silent, signal: new AbortController().signal }
  return trainSae(
    { ...context, metrics: memoryMetrics() },
    { capture, config: TrainConfig.parse(settings) as TrainConfig },
  )
}

test('rows are those of float32 within half a unit in the last of 11 bits, and the SAE explains as much', async () => {
  const [full, half] = [await stored('float32'), await stored('float16')]
  try {
    const [a, b] = [await full.readRange('site', 0, full.rows), await half.readRange('site', 0, half.rows)]
    let [error, squares, different] = [0, 0, 0]
    for (const [i, value] of a.entries()) {
      const difference = Math.abs(b[i]! - value)
      // Below 2 ** -14 float16 has fewer bits.
      expect(difference).toBeLessThanOrEqual(Math.max(2 ** -11 * Math.abs(value), 2 ** -25))
      if (difference > 0) different++
      error += difference ** 2
      squares += value ** 2
    }
    expect(different / a.length).toBeGreaterThan(0.9)
    expect(Math.sqrt(error / squares)).toBeLessThan(2 ** -11)
    const [exact, rounded] = [await train('exact', full), await train('rounded', half)]
    expect(exact.fvu).toBeLessThan(0.15)
    expect(rounded.fvu).not.toBe(exact.fvu)
    expect(Math.abs(rounded.fvu! - exact.fvu!)).toBeLessThan(0.005)
  } finally {
    full.close()
    half.close()
  }
})
