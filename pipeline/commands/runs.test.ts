/** What `pipeline runs …` says of a store of hand-made runs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FinishedRun } from '../../runs/run.ts'
import { RunStore } from '../../runs/store.ts'
import type { CommandDefinition } from '../command.ts'
import { from, made, session } from '../stages/store.fixture.ts'
import { fetch, publish } from './publish.ts'
import { diff, lineage, list, show, verify } from './runs.ts'

let store: RunStore
let captured: FinishedRun
let trained: FinishedRun
beforeEach(async () => {
  store = new RunStore(mkdtempSync(join(tmpdir(), 'pipeline-runs-command-')))
  captured = await made(store, 'captured', 'capture', { config: { sites: ['a'] }, files: { 'rows.txt': 'one\n' } })
  trained = await made(store, 'trained', 'train', {
    inputs: [from(captured, 'capture')],
    config: { k: 32, schedule: { decay: 0.2 } },
    files: { 'cfg.json': '{}' },
  })
})
afterEach(() => rmSync(store.directory, { recursive: true, force: true }))

async function said(command: CommandDefinition, config: Record<string, unknown> = {}) {
  const {
    text,
    json,
    exitCode = 0,
  } = await command.run({ 'runs-dir': store.directory, ...config }, { ...session, columns: 80 })
  return { text, json: json as Record<string, never>, exitCode }
}

describe('list', () => {
  test('has a line a run', async () => {
    const { text, json } = await said(list)
    expect(text.split('\n').map(line => line.split(/\s+/).slice(0, 3).join(' '))).toEqual([
      'run stage status',
      'captured capture finished',
      'trained train finished',
    ])
    expect(json.runs).toHaveLength(2)
  })

  test('of one stage, and of a store with nothing in it', async () => {
    expect((await said(list, { stage: 'train' })).text).not.toContain('captured')
    expect((await said(list, { 'runs-dir': join(store.directory, 'none') })).text).toMatch(/^There are no runs in/)
  })

  test('names folders whose manifest cannot be read, and lists the others', async () => {
    writeFileSync(join(captured.directory, 'run.json'), '{')
    const { text } = await said(list)
    expect(text).toMatch(/trained[\s\S]*unreadable: .*captured/)
  })
})

test('show has settings by dotted name, inputs with their hashes, and files', async () => {
  const { text, json } = await said(show, { run: 'trained' })
  expect(text).toMatch(/stage\s+train/)
  expect(text).toMatch(/input capture\s+captured \([0-9a-f]{12}\)/)
  expect(text).toMatch(/schedule\.decay\s+0\.2/)
  expect(text).toMatch(/cfg\.json\s+[0-9a-f]{12}/)
  expect(json).toMatchObject({ id: 'trained', directory: trained.directory })
})

describe('lineage', () => {
  test('goes back to what a run was made from, and on to what was made from it', async () => {
    const { text, json } = await said(lineage, { run: 'trained' })
    expect(text).toBe('trained (train)\n└─ capture: captured (capture)')
    expect(json.inputs).toMatchObject([{ role: 'capture', from: { run: 'captured' } }])
    expect((await said(lineage, { run: 'captured' })).text).toBe(
      'captured (capture)\n→ trained (train) was made from it',
    )
  })

  test('says what is gone', async () => {
    rmSync(captured.directory, { recursive: true })
    expect((await said(lineage, { run: 'trained' })).text).toContain('capture: captured (gone)')
  })

  test('draws a run once that two others were made from', async () => {
    const evidence = await made(store, 'validated', 'validate', { inputs: [from(trained, 'sae')] })
    await made(store, 'labelled', 'label', { inputs: [from(trained, 'sae'), from(evidence, 'evidence')] })
    expect((await said(lineage, { run: 'labelled' })).text).toBe(
      [
        'labelled (label)',
        '├─ sae: trained (train)',
        '│  └─ capture: captured (capture)',
        '└─ evidence: validated (validate)',
        '   └─ sae: trained (as above)',
      ].join('\n'),
    )
  })
})

describe('diff', () => {
  test('has settings, inputs and files that differ', async () => {
    await made(store, 'other', 'train', {
      inputs: [from(captured, 'capture')],
      config: { k: 64, schedule: { decay: 0.2 } },
      files: { 'cfg.json': '{"k":64}' },
    })
    const { text, json } = await said(diff, { run: 'trained', other: 'other' })
    expect(text).toMatch(/config\.k\s+32\s+64/)
    expect(text).not.toContain('decay')
    expect(JSON.stringify(json.differences)).toContain('cfg.json')
  })

  test('of a run with itself is nothing', async () => {
    expect((await said(diff, { run: 'trained', other: 'trained' })).text).toBe(
      'trained and trained differ in nothing but their times.',
    )
  })
})

describe('verify', () => {
  test('passes what is as it was', async () => {
    const { text, exitCode } = await said(verify, { run: 'trained' })
    expect({ text, exitCode }).toEqual({
      text: 'trained and all it was made from are as their manifests say.',
      exitCode: 0,
    })
  })

  test('names a file that changed, in the run or in one that it was made from', async () => {
    writeFileSync(join(captured.directory, 'rows.txt'), 'two\n')
    const { text, exitCode } = await said(verify, { run: 'trained' })
    expect(text).toMatch(/captured: rows\.txt: changed/)
    expect(exitCode).toBe(2)
  })
})

test('a run that was published is fetched by its name, and one that was not names the nearest', async () => {
  const place = join(store.directory, '.published')
  await said(publish, { run: 'trained', to: place })
  const elsewhere = { from: place, 'runs-dir': join(store.directory, '.elsewhere') }
  expect((await said(fetch, { run: 'trained', ...elsewhere })).text).toBe('fetched: trained\nfetched: captured')
  await expect(said(fetch, { run: 'trainde', ...elsewhere })).rejects.toMatchObject({
    message: expect.stringMatching(/^There is no run trainde in /),
    fix: 'Did you mean trained, captured?',
  })
})
