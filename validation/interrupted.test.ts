import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { InterruptedError } from '../core/errors.ts'
import { sha256File } from '../core/hash.ts'
import { silent } from '../core/progress.ts'
import { memoryMetrics } from '../core/stage.ts'
import { startEngine } from '../engine/engine.ts'
import { fakeDataset, fakeModel, fakeSae } from '../latents/fake.fixture.ts'
import { ValidateConfig } from './config.ts'
import { readEffects } from './effects-table.ts'
import { validate } from './validate.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'interrupted-'))
  await startEngine()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const hashesOf = async (directory: string) =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(directory)).sort().map(async name => [name, await sha256File(join(directory, name))]),
    ),
  )

test.runIf(process.env.PIPELINE_LONG)(
  'cut before, at and behind the look by which its claim is given up, a run ends with the same bytes',
  async () => {
    const [model, sae] = [fakeModel(), fakeSae({ decoder: 'random', seed: 0 })]
    const config = ValidateConfig.parse({
      ...{ latents: [1], documents: 16, bootstrap: 200, tokens: 4000, maxTokens: 1000, studies: [] },
      controls: { random: 19, foreign: 19, tied: 19 },
    })
    /** Documents told of, until a run stopped; all of them where it did not. */
    const run = async (name: string, stopAfter = Number.POSITIVE_INFINITY) => {
      const directory = join(folder, name)
      const controller = new AbortController()
      let told = 0
      const progress = {
        ...silent,
        update: (_: number, detail?: string) => {
          if (detail?.startsWith('latent') && ++told === stopAfter) controller.abort()
        },
      }
      const context = { directory, seed: 3, progress, signal: controller.signal, metrics: memoryMetrics() }
      await validate(context, { model, sae, dataset: fakeDataset(240), config })
      return told
    }
    const told = await run('whole')
    // Eight of sixteen documents of both interventions.
    expect(told).toBe(2 * 8)
    const own = (await readEffects(join(folder, 'whole'))).of(1).filter(({ control }) => control === 'feature')
    const ablated = own.flatMap(({ intervention, document }) => (intervention === 'ablate' ? [document] : []))
    expect(new Set(ablated).size).toBe(8)
    for (const stopAfter of [7, 8, 9, 16]) {
      await expect(run('cut', stopAfter)).rejects.toThrow(InterruptedError)
      expect(existsSync(join(folder, 'cut', 'evidence.json'))).toBe(false)
    }
    await run('cut')
    expect(await hashesOf(join(folder, 'cut'))).toEqual(await hashesOf(join(folder, 'whole')))
    model.dispose()
    sae.dispose()
  },
)
