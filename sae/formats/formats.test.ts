import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { openSafetensors } from '../../engine/safetensors.ts'
import { tf } from '../../engine/tf.ts'
import { sharedData } from '../../tests/shared-data.ts'
import { measureRows } from '../measure/row-quality.ts'
import { verifySae } from '../parity/sae.ts'
import { findSaeFiles, openSae } from './index.ts'

const folder = sharedData('saes', 'formats')

beforeAll(() => startEngine())

describe.skipIf(!folder)('SAEs written by the libraries themselves', () => {
  test.each(folder ? readdirSync(folder) : [])('%s encodes and decodes as its library does', async name => {
    const before = tf.memory().numTensors
    const { largest, rows } = await verifySae(join(folder!, name), join(folder!, name, 'expected.safetensors'))
    expect(rows).toBe(64)
    expect(largest).toBeLessThan(1e-5)
    expect(tf.memory().numTensors).toBe(before)
  })

  test('sparse latents decode to the same reconstruction as dense ones', async () => {
    for (const name of readdirSync(folder!)) {
      const sae = await openSae(join(folder!, name))
      const file = await openSafetensors(join(folder!, name, 'expected.safetensors'))
      const x = tf.tensor2d(await file.read('x'), file.shape('x') as [number, number])
      await file.close()
      const latents = sae.encode(x)
      const [sparse, dense] = [sae.decode(latents, x), sae.reconstruct(x)]
      expect(sparse.sub(dense).abs().max().dataSync()[0]).toBeLessThan(1e-5)
      for (let r = 0; r < latents.rows; r++) {
        const row = latents.indices.subarray(latents.offsets[r], latents.offsets[r + 1])
        expect([...row]).toEqual([...row].sort((a, b) => a - b))
      }
      sae.dispose()
    }
  })

  test('the site is read from where each library keeps it', async () => {
    const siteOf = async (name: string) => (await openSae(join(folder!, name))).metadata.hook_name
    expect(await siteOf('dictionary_learning-topk')).toBe('blocks.3.hook_resid_post')
    expect(await siteOf('sparsify-topk')).toBe('blocks.3.hook_resid_post')
  })

  test('a folder of many SAEs asks which one is meant', async () => {
    await expect(findSaeFiles(folder!)).rejects.toThrow(/holds \d+ SAEs/)
  })
})

const published = sharedData('saes', 'feature-routing-relu-64')
test.skipIf(!published)('the published SAE of feature-routing has every published figure', async () => {
  const sae = await openSae(published!)
  const file = await openSafetensors(sharedData('goldens', 'feature-routing.sae.safetensors')!)
  const x = tf.tensor2d(await file.read('acts_8192'), file.shape('acts_8192') as [number, number])
  await file.close()
  const measured = measureRows(sae, x)
  const { published: expected } = JSON.parse(await readFile(sharedData('goldens', 'feature-routing.sae.json')!, 'utf8'))
  const found: Record<string, number | null> = {
    abs_recon_err_mean: measured.rowError.mean,
    abs_recon_err_p99: measured.rowError.p99,
    rel_recon_err_mean: measured.rowRelativeError.mean,
    rel_recon_err_p99: measured.rowRelativeError.p99,
    fvu: measured.fvu,
    l0_mean: measured.rowL0.mean,
    l0_p99: measured.rowL0.p99,
    d_dict: sae.latents,
    dead_features: measured.dead,
  }
  expect(Object.keys(found)).toEqual(Object.keys(expected))
  // float32 sums of another engine differ by a few parts in ten million.
  for (const [name, value] of Object.entries(expected))
    expect(Math.abs(found[name]! - (value as number)), name).toBeLessThanOrEqual(2e-6 * (value as number))
  // The published count takes latents over 1e-6; there are none between that and 0.
  expect(tf.tidy(() => sae.encodeDense(x).greater(1e-6).cast('float32').sum(1).mean().dataSync()[0])).toBeCloseTo(
    measured.l0!,
    4,
  )
  x.dispose()
  sae.dispose()
})
