/** Claims of a file, put to the model whose concepts are known. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256 } from '../core/hash.ts'
import { silent } from '../core/progress.ts'
import { memoryMetrics } from '../core/stage.ts'
import { startEngine } from '../engine/engine.ts'
import { fakeDataset, fakeModel, fakeSae } from '../latents/fake.fixture.ts'
import { readClaims } from './claims/claim-file.ts'
import { ValidateConfig } from './config.ts'
import { type Evidence, readEvidence } from './evidence.ts'
import { verifyEvidence } from './recompute.ts'
import { validate } from './validate.ts'

const folders: string[] = []
beforeAll(async () => void (await startEngine()))
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

const config = ValidateConfig.parse({
  ...{ documents: 10, bootstrap: 200, tokens: 4000, maxTokens: 1000, studies: [], doses: [1] },
  ...{ controls: { tied: 99, random: 99, foreign: 99 } },
})

async function tested(claims: string, sae = fakeSae()): Promise<{ evidence: Evidence; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'stated-'))
  folders.push(directory)
  const model = fakeModel()
  const context = {
    directory,
    seed: 3,
    progress: silent,
    signal: new AbortController().signal,
    metrics: memoryMetrics(),
  }
  const stated = readClaims(
    `schema: 1\nwritten: 2026-01-02T03:04:05Z\nclaims:\n${claims}`,
    'claims.yaml',
    'its hash',
    new Date('2026-01-03'),
  )
  try {
    await validate(context, { model, sae, dataset: fakeDataset(240), config, stated })
    return { directory, evidence: await readEvidence(join(directory, 'evidence.json')) }
  } finally {
    model.dispose()
    sae.dispose()
  }
}

const claim = (latent: number, concept: number, more = '') =>
  `  - {latents: [${latent}], hypothesis: As stated., concept: cue=${concept}${more}}\n`

test('true claims pass in each stratum, and false ones do not: another concept, the other direction, what refutes them', async () => {
  const { directory, evidence } = await tested(
    claim(0, 0, ', strata: {half: [even, odd]}, falsifiers: [{path: sham, above: 0}]') +
      claim(1, 2) +
      claim(2, 2, ', direction: increase') +
      claim(3, 3, ', falsifiers: [{path: causal.verdict, is: pass}]') +
      claim(4, 4, ', falsifiers: [{path: studies.transfer.ratio, below: 0.5}]'),
  )
  const [held, other, reversed, refuted, undecided] = evidence.features
  expect(held).toMatchObject({ verdict: 'pass', claim: { stated: 'file', hypothesis: 'As stated.' } })
  expect(held!.strataHeld.map(({ value, verdict }) => [value, verdict])).toEqual([
    ['even', 'pass'],
    ['odd', 'pass'],
  ])
  expect(held!.falsifiers[0]).toMatchObject({ value: 0, state: 'absent' })
  expect(other!.verdict).toBe('fail')
  expect(reversed).toMatchObject({ verdict: 'fail', ablate: { test: { direction: 'increase', asClaimed: false } } })
  expect(refuted).toMatchObject({ verdict: 'fail', causal: { verdict: 'pass' }, falsifiers: [{ state: 'found' }] })
  expect(undecided).toMatchObject({ verdict: 'inconclusive', falsifiers: [{ value: null, state: 'undecided' }] })
  expect(evidence.claims).toEqual({
    sha256: sha256(await readFile(join(directory, 'claims.json'))),
    file: { sha256: 'its hash', written: '2026-01-02T03:04:05Z' },
  })
  expect(await verifyEvidence(directory)).toEqual([])
})

test('claims of another SAE, of latents and concepts that are not there, and of another intervention are refused', async () => {
  await expect(tested(claim(999, 0))).rejects.toThrow('names latent 999, but the SAE has 200')
  await expect(tested(claim(0, 99))).rejects.toThrow('names cue=99, but the dataset fake has no concept')
  await expect(tested(claim(0, 0, ', intervention: steer'))).rejects.toThrow('primary is ablate')
  await expect(tested(claim(0, 0, ', controls: [covariance]'))).rejects.toThrow('controls.covariance is 0')
  await expect(tested(claim(0, 0, ', strata: {half: [od]}'))).rejects.toThrow('half names od')
  await expect(tested(claim(0, 0, ', power: 0.05'))).rejects.toThrow('asks for a power of 0.05 at an alpha of 0.05')
  await expect(tested(claim(0, 0, ', alpha: 0.4, power: 0.3'))).rejects.toThrow('a power of 0.3 at an alpha of 0.4')
})
