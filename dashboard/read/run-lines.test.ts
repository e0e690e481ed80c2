import { expect, test } from 'vitest'
import { RunManifest } from '../../runs/run.ts'
import { runLine } from './run-lines.ts'

const sae = { role: 'capture', run: 'captured', sha256: 'a' }
const settingsOf = (seed: number, config: Record<string, unknown>, sha256 = 'a') =>
  runLine({
    ...(Object.fromEntries(Object.keys(RunManifest.shape).map(key => [key, null])) as unknown as RunManifest),
    ...{ id: 'x', stage: 'train', status: 'finished', started: '', finished: null, summary: {}, seed },
    ...{ config, inputs: [{ ...sae, sha256 }] },
  }).settings

test('runs that differ by the seed alone have the same settings, others have not', () => {
  const one = settingsOf(0, { architecture: 'topk', k: 16, seed: 0 })
  expect(settingsOf(1, { k: 16, architecture: 'topk', seed: 1 })).toBe(one)
  expect(settingsOf(0, { architecture: 'topk', k: 32, seed: 0 })).not.toBe(one)
  expect(settingsOf(0, { architecture: 'topk', k: 16, seed: 0 }, 'b')).not.toBe(one)
})
