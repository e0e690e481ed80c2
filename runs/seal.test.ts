import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { verifyRun } from './lineage.ts'
import type { OpenRun } from './open-run.ts'
import { readVerified } from './read.ts'
import type { FinishedRun } from './run.ts'
import { contentHash, sealOf } from './seal.ts'
import { RunStore } from './store.ts'

let folder: string
let store: RunStore
let train: FinishedRun
let label: FinishedRun

/** An SAE, and labels made from it. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-seal-'))
  store = new RunStore(folder)
  train = await make('train', { k: 8 }, [])
  label = await make('label', { sae: 'train', top: 3 }, [
    { role: 'sae', run: 'train', path: train.directory, sha256: contentHash(train.manifest) },
  ])
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function make(name: string, config: object, inputs: object[]): Promise<FinishedRun> {
  const engine = { name: 'wasm', precision: 'float32', threads: 2 }
  const request = { stage: name, name, config, inputs, seed: 1, engine, versions: {}, machine: { cores: 2 } }
  const { run } = await store.open(request as never, () => new Date(0))
  writeFileSync(join(run.directory, 'one'), '1')
  mkdirSync(join(run.directory, 'sub'))
  writeFileSync(join(run.directory, 'sub', 'two'), '2')
  return (run as OpenRun).finish({ passed: 0 }, { rate: 5 })
}

/** A manifest as parsed, to be changed anyhow. */
type Plain = ReturnType<typeof JSON.parse>

function edit({ directory }: FinishedRun, change: (manifest: Plain) => void): void {
  const path = join(directory, 'run.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8'))
  change(manifest)
  writeFileSync(path, JSON.stringify(manifest))
}

/** What `verify` says of the labels, as lines. */
async function said(name = 'label'): Promise<string[]> {
  return (await verifyRun(store, await store.find(name))).map(({ run, what, problem }) => `${run}: ${what}: ${problem}`)
}

test('nothing is wrong with whole runs', async () => expect(await said()).toEqual([]))

describe('a changed manifest is named', () => {
  const changed = 'label: run.json: changed'
  const unfounded = 'label: run.json key: does not follow from its settings and inputs'
  const gone = 'label: one: not in the manifest'
  test.each<[string, (manifest: Plain) => void, string[]]>([
    ['figures', m => (m.summary.passed = 3), [changed]],
    ['settings', m => (m.config.top = 9), [changed, unfounded]],
    ['a setting struck out', m => delete m.config.top, [changed, unfounded]],
    ['the seed', m => (m.seed = 9), [changed, unfounded]],
    ['the key', m => (m.key = '0'.repeat(64)), [changed, unfounded]],
    ['the stage', m => (m.stage = 'report'), [changed, unfounded]],
    ['the precision', m => (m.engine.precision = 'bf16'), [changed, unfounded]],
    ['threads', m => (m.engine.threads = 9), [changed]],
    ['the machine', m => (m.machine.cores = 9), [changed]],
    ['versions', m => (m.versions.pipeline = '9'), [changed]],
    ['times', m => (m.started = '2020-01-01T00:00:00.000Z'), [changed]],
    ['timing', m => (m.timing.rate = 9), [changed]],
    ['timing struck out', m => delete m.timing, [changed]],
    ['the format', m => (m.format = 1), [changed, unfounded]],
    ['inputs emptied', m => (m.inputs = []), [changed, unfounded]],
    ['the hash of an input', m => (m.inputs[0].sha256 = '0'), [changed, unfounded, 'label: sae train: changed']],
    ['the path of an input', m => (m.inputs[0].path = '/etc/passwd'), [changed]],
    ['the run of an input', m => (m.inputs[0].run = 'label'), [changed, 'label: sae label: changed']],
    ['files emptied', m => (m.files = {}), [changed, gone, 'label: sub/two: not in the manifest']],
    ['a file struck out', m => delete m.files.one, [changed, gone]],
    ['a file added', m => (m.files.three = '0'), [changed, 'label: three: missing']],
    ['the hash of a file', m => (m.files.one = '0'), [changed, 'label: one: changed']],
    ['its own hash', m => (m.sha256 = '0'), [changed]],
    ['its own hash struck out', m => (m.sha256 = null), [changed]],
    ['the status', m => (m.status = 'interrupted'), ['label: run.json: unfinished']],
    ['the id', m => (m.id = 'other'), ['other: run.json: changed', 'other: run.json id: not the name of its folder']],
  ])('%s', async (_, change, lines) => {
    edit(label, change)
    expect(await said()).toEqual(lines)
  })

  test('and none whose run was closed is taken for an input or an answer', async () => {
    edit(train, m => (m.summary.passed = 3))
    await expect(store.finished('train', ['train'])).rejects.toThrow('is damaged: run.json: changed.')
    const { stage, config, inputs, seed, engine } = train.manifest
    const same = { stage, config, inputs, seed, engine, versions: {}, machine: {} }
    await expect(store.open(same, () => new Date(0))).rejects.toThrow('is damaged: run.json: changed.')
  })

  test('that was sealed anew is named by the runs made from it', async () => {
    edit(train, m => {
      m.summary.passed = 3
      m.sha256 = sealOf(m)
    })
    expect(await said('train')).toEqual([])
    expect(await said()).toEqual(['label: sae train: changed'])
  })

  test('of a file struck out that was removed, too', async () => {
    edit(label, m => delete m.files.one)
    unlinkSync(join(label.directory, 'one'))
    expect(await said()).toEqual([changed])
  })

  test('of two folders that were swapped', async () => {
    renameSync(label.directory, join(folder, 'x'))
    renameSync(train.directory, label.directory)
    renameSync(join(folder, 'x'), train.directory)
    expect(await said()).toEqual(['train: run.json id: not the name of its folder'])
    expect(await said('train')).toContain('label: run.json id: not the name of its folder')
    await expect(store.finished('label', ['train'])).rejects.toThrow('not the name of its folder')
  })

  test('that is a link', async () => {
    renameSync(join(label.directory, 'run.json'), join(folder, 'elsewhere'))
    symlinkSync(join(folder, 'elsewhere'), join(label.directory, 'run.json'))
    expect(await said()).toEqual(['label: run.json: not a plain file'])
  })
})

describe('a manifest that cannot be read is a sentence', () => {
  const path = () => join(label.directory, 'run.json')
  test.each<[string, () => void, RegExp]>([
    ['empty', () => writeFileSync(path(), ''), /^The manifest .* is not JSON: .*\.$/],
    ['broken over lines', () => writeFileSync(path(), '{\n"a": 1,\n\n}'), /^The manifest .* is not JSON: [^\n]*$/],
    ['binary', () => writeFileSync(path(), Buffer.from([0, 255, 10, 13])), /^The manifest .* is not UTF-8[^\n]*$/],
    ['a list', () => writeFileSync(path(), '[]'), /has schema undefined, but this version reads schema 2/],
    ['an id with a path', () => edit(label, m => (m.id = '../x')), /key id is "..\/x": is not the id of a run/],
    ['an input outside', () => edit(label, m => (m.inputs[0].run = '../x')), /key inputs\.0\.run is/],
    ['a time that is none', () => edit(label, m => (m.started = 'x')), /key started is "x"/],
    ['a key that is none of ours', () => edit(label, m => Object.assign(m, { more: 1 })), /has no key more/],
    [
      'a folder',
      () => {
        unlinkSync(path())
        mkdirSync(path())
      },
      /is a folder, but a manifest is a file/,
    ],
  ])('%s', async (_, damage, message) => {
    damage()
    await expect(store.find('label')).rejects.toMatchObject({ exitCode: 1, message: expect.stringMatching(message) })
    expect((await store.list()).unreadable).toHaveLength(1)
  })
})

describe('what was added is named', () => {
  test.each<[string, (directory: string) => void, string]>([
    ['a file', d => writeFileSync(join(d, 'more'), ''), 'more'],
    ['a hidden file', d => writeFileSync(join(d, '.hidden'), ''), '.hidden'],
    ['a file named like a lock', d => writeFileSync(join(d, '.lock-more'), ''), '.lock-more'],
    ['a half-written file', d => writeFileSync(join(d, 'x.partial'), ''), 'x.partial'],
    ['a file in a folder', d => writeFileSync(join(d, 'sub', 'evil.html'), ''), 'sub/evil.html'],
    ['an empty folder', d => mkdirSync(join(d, 'empty')), 'empty/'],
    ['a link', d => symlinkSync('/etc/passwd', join(d, 'link')), 'link'],
  ])('%s', async (_, add, name) => {
    add(label.directory)
    expect(await said()).toEqual([`label: ${name}: not in the manifest`])
  })
})

describe('a damaged file is named, and not read', () => {
  test.each<[string, (path: string) => void, string]>([
    ['changed', p => writeFileSync(p, '2'), 'changed'],
    ['emptied', p => writeFileSync(p, ''), 'changed'],
    ['removed', p => unlinkSync(p), 'missing'],
    [
      'a link to an equal one',
      p => {
        renameSync(p, join(folder, 'elsewhere'))
        symlinkSync(join(folder, 'elsewhere'), p)
      },
      'not a plain file',
    ],
    [
      'a folder',
      p => {
        unlinkSync(p)
        mkdirSync(p)
      },
      'not a plain file',
    ],
  ])('%s', async (_, damage, problem) => {
    damage(join(train.directory, 'one'))
    expect(await said()).toContain(`train: one: ${problem}`)
    let read = false
    const reading = readVerified(train, ['one', 'sub/two'], async () => {
      read = true
    })
    await expect(reading).rejects.toThrow(`The file one of the run train is not what its manifest says: ${problem}.`)
    expect(read).toBe(false)
  })

  test('and a whole one is read', async () => {
    const bytes = await readVerified(train, ['one', 'sub/two'], async () => readFileSync(join(train.directory, 'one')))
    expect(String(bytes)).toBe('1')
  })

  test('a file of the right name that the manifest does not list is refused', async () => {
    await readVerified(train, ['optional'], async () => {})
    writeFileSync(join(train.directory, 'optional'), '')
    await expect(readVerified(train, ['optional'], async () => {})).rejects.toThrow('not in the manifest')
  })

  test.each<[string, (path: string) => void]>([
    ['written in place', p => writeFileSync(p, '1')],
    [
      'replaced',
      p => {
        writeFileSync(`${p}.new`, '1')
        renameSync(`${p}.new`, p)
      },
    ],
    ['removed', p => unlinkSync(p)],
  ])('a file %s while it was read is noticed, whatever it holds now', async (_, touch) => {
    const path = join(train.directory, 'one')
    await expect(readVerified(train, ['one'], async () => touch(path))).rejects.toThrow('was changed while it was read')
  })
})
