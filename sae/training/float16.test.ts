/** Training from shards of float16 numbers: what is read, and what that does to the SAE. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { openCapture } from '../../datasets/shards/index.ts'
import { columnsOfSite, type Dtype, writeMadeCapture } from '../../datasets/shards/made.fixture.ts'
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
async function stored(dtype: Dtype) {
  const { rows, width } = planted
  async function* shards() {
    for (const [from, to] of [[0, 1700] as const, [1700, rows] as const])
      yield columnsOfSite('site', width, await planted.readRange('site', from, to - from), dtype)
  }
  await writeMadeCapture(join(folder, dtype), shards(), { batchRows: 300, dtype })
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
