/** Temporal SAEs, read from SAELens: values recorded by docs/record_sae_steps.py. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { openSafetensors } from '../../engine/safetensors.ts'
import { tf } from '../../engine/tf.ts'
import { loadSae, saveSae } from '../formats/saelens.ts'
import { measureRows } from '../measure/row-quality.ts'
import { openRows } from '../measure/rows.ts'
import { TrainConfig } from '../training/config.ts'
import { agrees, verifySae } from './sae.ts'

const recorded = fileURLToPath(new URL('recorded', import.meta.url))
let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'temporal-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe.each(['temporal', 'temporal-untied'])('%s', name => {
  const directory = join(recorded, name)
  const reference = join(directory, 'expected.safetensors')

  test('has the latents and reconstructions that SAELens has of sequences', async () => {
    const before = tf.memory().numTensors
    const comparison = await verifySae(directory, reference)
    expect(comparison).toMatchObject({ architecture: 'temporal', rows: 21 })
    expect(agrees(comparison, 5e-6)).toBe(true)
    expect(tf.memory().numTensors).toBe(before)
  })

  test('is measured sequence by sequence', async () => {
    const file = await openSafetensors(reference)
    const [x, expected] = [await file.read('x'), await file.read('reconstruction')]
    await file.close()
    const mean = Array.from({ length: 6 }, (_, i) => x.reduce((sum, v, j) => sum + (j % 6 === i ? v / 21 : 0), 0))
    const error = x.reduce((sum, value, j) => sum + (value - expected[j]!) ** 2, 0)
    const spread = x.reduce((sum, value, j) => sum + (value - mean[j % 6]!) ** 2, 0)
    const sae = await loadSae(directory)
    const rows = tf.tensor2d(x.slice(), [21, 6])
    expect(measureRows(sae, rows, rows, 7).fvu).toBeCloseTo(error / spread, 5)
    // As one sequence of 21 rows it is another thing.
    expect(measureRows(sae, rows).fvu).not.toBeCloseTo(error / spread, 5)
    rows.dispose()
    sae.dispose()
  })

  test('is the same after it was saved', async () => {
    const sae = await loadSae(directory)
    await saveSae(folder, sae)
    sae.dispose()
    expect(agrees(await verifySae(folder, reference), 5e-6)).toBe(true)
  })
})

test('the positions of a file are along the axis before a row’s own', async () => {
  const file = await openRows(join(recorded, 'temporal', 'expected.safetensors'))
  expect(file.positions('x', 6)).toBe(7)
  await file.close()
})

test.each([
  [{ tied_weights: false }, 'tied_weights is false, but by its weights it is true'],
  [{ n_attn_layers: 1 }, 'n_attn_layers is 1, but by its weights it is 2'],
  [{ bottleneck_factor: 8 }, 'bottleneck_factor is 8, but by its weights it is 4'],
  [{ n_heads: 3 }, 'n_heads is 3, which divides not both 4 keys and 16 latents'],
  [{ kval_topk: 40 }, 'kval_topk is 40, but there are only 16 latents'],
  [{ sae_diff_type: 'sparsemax' }, 'sae_diff_type in'],
  [{ residual_threshold: 0.1 }, 'residual_threshold'],
])('a config of %o is refused', async (change, sentence) => {
  const directory = join(folder, JSON.stringify(change).replaceAll('"', ''))
  await cp(join(recorded, 'temporal'), directory, { recursive: true })
  const path = join(directory, 'cfg.json')
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...change }))
  await expect(loadSae(directory)).rejects.toThrow(sentence)
})

test('is not trained here', () =>
  expect(() => TrainConfig.parse({ architecture: 'temporal' })).toThrow('expected one of'))

test('has decoder rows in the unit of the model, where its rows are scaled', async () => {
  const sae = await loadSae(join(recorded, 'temporal-untied'))
  const [rows, kept] = [sae.decoder(), sae.params.W_dec!]
  expect([...rows.dataSync()]).toEqual(Array.from(kept.dataSync(), value => value / 0.5))
  rows.dispose()
  sae.dispose()
})
