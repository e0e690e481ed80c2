/** Comparisons are runs: made once, held to what they compare, and judged by gates. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { evidenceOf } from '../../labels/evidence.fixture.ts'
import { readDrift } from '../../runs/drift.ts'
import { contentHash } from '../../runs/seal.ts'
import { RunStore } from '../../runs/store.ts'
import { writeEffects } from '../../validation/effects-table.ts'
import type { EffectRow } from '../../validation/rows.ts'
import driftCommand from '../commands/drift.ts'
import drift, { driftOfRun } from './drift.ts'
import { performStage, type StageResult } from './perform.ts'
import { stageSchema } from './stage.ts'
import { made, session } from './store.fixture.ts'

let store: RunStore
beforeAll(async () => {
  store = new RunStore(mkdtempSync(join(tmpdir(), 'pipeline-drift-')))
  await tested('monday', 1, 0)
  await tested('tuesday', 2, 0)
  await tested('moved', 3, 0.8)
  await made(store, 'taken', 'capture')
})
afterAll(() => rmSync(store.directory, { recursive: true, force: true }))

/** A validate run of one latent on twelve documents; `shift` is added to its effects. */
async function tested(name: string, seed: number, shift: number): Promise<void> {
  const opened = await store.open(
    { stage: 'validate', name, config: {}, inputs: [], seed, engine: {}, versions: {}, machine: {} },
    session.now,
  )
  if (opened.state === 'unchanged') return
  const random = new Random('effects', seed)
  const rows = Array.from({ length: 12 }, (_, i): EffectRow => {
    const place = { document: `d${i}`, window: `d${i}`, positions: 1 }
    const edit = { feature: 1, intervention: 'ablate', dose: 0, control: 'feature', controlId: null } as const
    return { ...edit, ...place, norm: 1, target: -1 + 0.1 * random.normal() + shift, loss: null, kl: null }
  })
  const { directory } = opened.run
  writeFileSync(join(directory, 'evidence.json'), JSON.stringify(evidenceOf([{ feature: 1 }])))
  await writeEffects(directory, [rows])
  await opened.run.finish({})
}

const config = (own: Record<string, unknown>) =>
  stageSchema(drift).parse({ draws: 199, 'runs-dir': store.directory, ...own }) as never
const compare = (own: Record<string, unknown>) => performStage(drift, config(own), session) as Promise<StageResult>

test('a comparison is kept with the hashes of its runs and no engine, and held to gates; asked again it is there', async () => {
  const result = await compare({ a: 'monday', b: 'moved', gates: { maximumDrifted: 0 } })
  expect(result).toMatchObject({ state: 'new', exitCode: 2, summary: { kind: 'evidence', drifted: 1, tested: 1 } })
  const run = await store.find(result.run)
  expect(run.manifest.engine).toEqual({})
  const kept = await driftOfRun(run)
  const { manifest } = await store.find('moved')
  expect(kept.b).toEqual({ id: 'moved', stage: 'validate', sha256: contentHash(manifest) })
  expect(result.gates).toEqual([{ name: 'maximumDrifted', status: 'fail', value: 1, threshold: 0 }])
  expect(run.manifest.inputs.map(({ role, run: id }) => [role, id])).toEqual([
    ['a', 'monday'],
    ['b', 'moved'],
  ])
  expect(await compare({ a: 'monday', b: 'moved', gates: { maximumDrifted: 0 } })).toMatchObject({
    ...{ state: 'unchanged', run: result.run, exitCode: 2 },
  })
})

test('what was measured again has not drifted, and another threshold compares nothing anew', async () => {
  const calm = await compare({ a: 'monday', b: 'tuesday', gates: { maximumDrifted: 0 } })
  expect(calm).toMatchObject({ exitCode: 0, summary: { drifted: 0, tested: 1 } })
  expect(await compare({ a: 'monday', b: 'tuesday' })).toMatchObject({ state: 'unchanged', run: calm.run })
})

test('the command tells the verdict and where it is kept, and copies the result', async () => {
  const output = join(store.directory, 'copy.json')
  const said = await driftCommand.run(
    { ...(config({ a: 'monday', b: 'moved' }) as object), output, html: join(store.directory, 'copy.html') },
    { ...session, columns: 80 },
  )
  expect(said.text).toMatch(/^monday and moved: drift: 1 of 1 cell at α 0\.01\n/)
  expect(said.text).toMatch(/kept in .*drift-/)
  const { run } = said.json as { run: string }
  expect(await readDrift(output)).toEqual(await driftOfRun(await store.find(run)))
})

test('runs of two kinds, and an SAE beside evidence, are refused', async () => {
  await expect(compare({ a: 'monday', b: 'taken' })).rejects.toThrow('there is nothing to compare')
  await expect(compare({ a: 'monday', b: 'moved', sae: 'x' })).rejects.toThrow('monday is no capture')
})
