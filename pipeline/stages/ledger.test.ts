import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { evidenceOf, madeUpHashes } from '../../labels/evidence.fixture.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { RunStore } from '../../runs/store.ts'
import { readLedger } from './ledger.ts'
import { common, made } from './store.fixture.ts'
import validate from './validate.ts'

let folder: string
let store: RunStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ledger-'))
  store = new RunStore(folder)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A finished validate run of latent 7 whose primary test has this q. */
function tested(name: string, q: number, sae = madeUpHashes.sae): Promise<FinishedRun> {
  const evidence = evidenceOf([{ feature: 7, verdict: q <= 0.05 ? 'pass' : 'inconclusive' }], { ...madeUpHashes, sae })
  evidence.features[0]!.ablate!.test.q = q
  return made(store, name, 'validate', { files: { 'evidence.json': JSON.stringify(evidence) }, config: { name } })
}

const judge = (run: FinishedRun, own: Record<string, unknown> = {}) =>
  validate.judge!(run, common(store, { gates: { minimumPassed: 1 }, ...own }), store)

test('a pass stands until other runs of the same SAE are there that do not bear it out', async () => {
  const first = await tested('first', 0.03)
  expect((await judge(first)).gates).toMatchObject([{ status: 'pass', value: 1 }])
  for (const [i, q] of [0.4, 0.7, 0.3].entries()) await tested(`try-${i}`, q)
  const { gates, notes, found } = await judge(first)
  expect(gates).toMatchObject([{ status: 'inconclusive', value: 0 }])
  expect(notes!.join('\n')).toContain(
    'latent 7 passed here, and does not stand: over the 4 runs that tested it, with 1 of the SAE’s 4 runs passing, q is 1',
  )
  const [standing] = (found as { ledger: { standings: Record<string, unknown>[] } }).ledger.standings
  expect(standing).toMatchObject({ feature: 7, runs: 4, standing: 'inconclusive' })
  expect(['suggestive', 'underdetermined']).toContain(standing!.standingTier)
  expect(notes!.join('\n')).toContain(`tiers: 1 ${standing!.standingTier}`)
})

test('runs of other SAEs do not count, and those that cannot be read are named', async () => {
  const first = await tested('first', 0.03)
  await tested('of-another', 0.9, 'another')
  await made(store, 'broken', 'validate', { files: { 'evidence.json': '{"schema": 1}' }, config: { broken: true } })
  const ledger = await readLedger(store, madeUpHashes.sae, first)
  expect(ledger.runs.map(({ run }) => run)).toEqual(['first'])
  expect(ledger.unreadable.map(({ run }) => run)).toEqual(['broken'])
  const { gates, notes } = await judge(first)
  expect(gates).toMatchObject([{ status: 'pass' }])
  expect(notes!.join('\n')).toContain('broken cannot be read by this version and is not counted')
})

test('files for a watching program are written where they were asked for, and change nothing of the run', async () => {
  const first = await tested('first', 0.03)
  const [junit, markdown] = [join(folder, 'junit.xml'), join(folder, 'summary.md')]
  await judge(first, { junit, markdown })
  expect(await readFile(junit, 'utf8')).toMatch(/name="first claims" .* tests="1" failures="0"/)
  expect(await readFile(markdown, 'utf8')).toContain('## first')
})
