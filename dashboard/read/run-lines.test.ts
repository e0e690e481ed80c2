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

test('a train run that names no site and no model has those of its capture, where there is one', () => {
  const blank = Object.fromEntries(Object.keys(RunManifest.shape).map(key => [key, null])) as unknown as RunManifest
  const made = { ...blank, status: 'finished' as const, started: '', summary: {}, seed: 0, inputs: [] }
  const train = { ...made, id: 'x', stage: 'train', config: {}, inputs: [{ ...sae }] }
  const captures = (...sites: string[]) =>
    new Map([['captured', { ...made, id: 'captured', stage: 'capture', config: { sites, model: 'toyworld' } }]])
  const one = captures('blocks.1.hook_resid_post')
  expect(runLine(train, one).site).toBe('blocks.1.hook_resid_post')
  expect([runLine(train, one).model, runLine(train).model]).toEqual(['toyworld', null])
  expect(runLine({ ...train, config: { site: 'blocks.2.mlp.hook_post' } }, one).site).toBe('blocks.2.mlp.hook_post')
  expect([runLine(train).site, runLine(train, captures('a', 'b')).site]).toEqual([null, null])
})

test('runs that differ by the seed alone have the same settings, others have not', () => {
  const one = settingsOf(0, { architecture: 'topk', k: 16, seed: 0 })
  expect(settingsOf(1, { k: 16, architecture: 'topk', seed: 1 })).toBe(one)
  expect(settingsOf(0, { architecture: 'topk', k: 32, seed: 0 })).not.toBe(one)
  expect(settingsOf(0, { architecture: 'topk', k: 16, seed: 0 }, 'b')).not.toBe(one)
})
