import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keyOf, type RunRequest } from './key.ts'
import type { OpenRun } from './open-run.ts'
import { contentHash } from './seal.ts'
import { RunStore } from './store.ts'

let folder: string
let store: RunStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-runs-'))
  store = new RunStore(folder)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const now = () => new Date('2026-01-02T03:04:05Z')
const request: RunRequest = {
  stage: 'train',
  config: { k: 32, capture: 'capture-one' },
  inputs: [{ role: 'capture', run: 'capture-one', sha256: 'aa' }],
  seed: 0,
  engine: { name: 'wasm', precision: 'float32', threads: 2 },
  versions: { pipeline: '0.1.0' },
  machine: {},
}

async function begin(changes: Partial<RunRequest> = {}): Promise<OpenRun> {
  const opened = await store.open({ ...request, ...changes }, now)
  if (opened.state === 'unchanged') throw new Error('expected a run to write')
  return opened.run
}

async function finished(changes: Partial<RunRequest> = {}) {
  const run = await begin(changes)
  writeFileSync(join(run.directory, 'result.txt'), 'seven')
  return run.finish({ fvu: 0.07 })
}

describe('the key', () => {
  test('does not depend on where an input lies or on the number of threads', () => {
    const elsewhere = {
      ...request,
      config: { k: 32, capture: '/elsewhere/capture-two' },
      inputs: [{ role: 'capture', run: 'two', path: '/elsewhere/capture-two', sha256: 'aa' }],
      engine: { ...request.engine, threads: 1 },
    }
    expect(keyOf(elsewhere)).toBe(keyOf(request))
  })

  test('does not depend on where a model lies, but on what it is called', () => {
    const of = (path: string) =>
      keyOf({ ...request, config: { model: path }, inputs: [{ role: 'model', path, sha256: 'aa' }] })
    expect(of('/here/gpt')).toBe(of('/there/gpt'))
    expect(of('/here/gpt/model')).toBe(of('/there/gpt'))
    expect(of('/here/gpt')).not.toBe(of('/here/llama'))
  })

  test.each([
    ['config', { config: { ...request.config, k: 16 } }],
    ['seed', { seed: 1 }],
    ['stage', { stage: 'validate' }],
    ['input bytes', { inputs: [{ role: 'capture', run: 'capture-one', sha256: 'bb' }] }],
    ['precision', { engine: { ...request.engine, precision: 'bf16' } }],
    ['engine', { engine: { ...request.engine, name: 'tensorflow' } }],
  ])('changes with the %s', (_, change) => expect(keyOf({ ...request, ...change })).not.toBe(keyOf(request)))

  test('keeps the settings of an input that is an object, without its path', () => {
    const of = (dataset: { path: string; packing: string }) =>
      keyOf({ ...request, config: { dataset }, inputs: [{ role: 'dataset', path: '/x/text', sha256: 'aa' }] })
    expect(of({ path: '/a', packing: 'document' })).toBe(of({ path: '/b', packing: 'document' }))
    expect(of({ path: '/a', packing: 'document' })).not.toBe(of({ path: '/a', packing: 'concatenate' }))
  })
})

describe('opening', () => {
  test('writes the manifest before anything else', async () => {
    const run = await begin()
    const manifest = JSON.parse(readFileSync(join(run.directory, 'run.json'), 'utf8'))
    expect(manifest).toMatchObject({
      schema: 2,
      status: 'running',
      started: '2026-01-02T03:04:05.000Z',
      finished: null,
    })
    await run.stop('interrupted')
  })

  test('generates the same readable id for the same key', async () => {
    const run = await begin()
    expect(run.manifest.id).toMatch(/^train-[a-z]+-[a-z]+-[0-9a-f]{4}$/)
    const id = run.manifest.id
    await run.discard()
    expect((await begin()).manifest.id).toBe(id)
  })

  test('says unchanged when a finished run has the key, under whatever name', async () => {
    await finished({ name: 'run42' })
    const again = await store.open(request, now)
    expect(again.state).toBe('unchanged')
    expect(again.run).toMatchObject({ manifest: { id: 'run42', summary: { fvu: 0.07 } } })
  })

  test('does not call a run unchanged that lacks a file, or has another or something else in its place', async () => {
    const { directory, manifest } = await finished({ name: 'run42' })
    const [file] = Object.keys(manifest.files) as [string]
    const bytes = readFileSync(join(directory, file))
    const { atime, mtime } = statSync(join(directory, file))
    bytes[0]! ^= 1
    writeFileSync(join(directory, file), bytes)
    utimesSync(join(directory, file), atime, mtime)
    await expect(store.open(request, now)).rejects.toThrow(
      `The file ${file} of the run run42 is not what its manifest says: changed.`,
    )
    await expect(store.open(request, now, AbortSignal.abort())).rejects.toMatchObject({ exitCode: 4 })
    rmSync(join(directory, file))
    await expect(store.open(request, now)).rejects.toThrow(
      `The file ${file} of the run run42 is not what its manifest says: missing.`,
    )
    mkdirSync(join(directory, file))
    await expect(store.open({ ...request, name: 'run42' }, now)).rejects.toThrow('not a plain file.')
  })

  test('resumes an unfinished run of the same key and keeps when it was started', async () => {
    const first = await begin({ name: 'run42' })
    first.metrics.append({ step: 1 })
    writeFileSync(join(first.directory, 'checkpoint'), '1')
    await first.stop('interrupted')
    const again = await store.open(request, () => new Date())
    expect(again.state).toBe('resumed')
    expect((again.run as OpenRun).metrics.lines).toBe(1)
    expect(again.run.manifest).toMatchObject({ id: 'run42', started: '2026-01-02T03:04:05.000Z', status: 'running' })
  })

  test('refuses a name that belongs to another key', async () => {
    await finished({ name: 'run42' })
    await expect(begin({ name: 'run42', seed: 1 })).rejects.toThrow('The run run42 exists and was made from another')
  })

  test.each(['../up', '', 'a/b', '.hidden', 'x.partial'])('refuses the name %j', async name => {
    await expect(begin({ name })).rejects.toThrow('is not usable')
  })

  test('refuses a file in the place of its folder', async () => {
    const path = join(folder, 'note.txt')
    writeFileSync(path, '')
    await expect(new RunStore(path).list()).rejects.toThrow('it is a file, or lies in one.')
    await expect(new RunStore(join(path, 'runs')).find('one')).rejects.toThrow('There can be no runs in')
  })

  test('refuses a folder that holds something else, and leaves it alone', async () => {
    const other = new RunStore(join(folder, '..'))
    writeFileSync(join(folder, 'thesis.txt'), 'mine')
    const name = folder.split('/').at(-1)!
    await expect(other.open({ ...request, name }, now)).rejects.toThrow('is not a run (it holds thesis.txt)')
    expect(readFileSync(join(folder, 'thesis.txt'), 'utf8')).toBe('mine')
  })

  test('takes a folder in which a process died before it wrote the manifest', async () => {
    const run = await begin({ name: 'run42' })
    await run.stop('interrupted')
    rmSync(join(run.directory, 'run.json'))
    rmSync(join(run.directory, 'metrics.jsonl'))
    writeFileSync(join(run.directory, 'run.json.17.partial'), '{')
    expect((await begin({ name: 'run42' })).manifest.id).toBe('run42')
  })
})

describe('closing', () => {
  test('records the sha256 of every file, and drops half-written ones', async () => {
    const run = await begin()
    run.metrics.append({ step: 1 })
    writeFileSync(join(run.directory, 'result.txt'), 'seven')
    writeFileSync(join(run.directory, 'shard.17.partial'), 'half')
    const { manifest } = await run.finish({})
    expect(existsSync(join(run.directory, 'shard.17.partial'))).toBe(false)
    expect(manifest.files).toEqual({
      'metrics.jsonl': 'ca725775221aaf11b9a03b29ada2183a826f5df4f38d1e2a6f51223b11884132',
      'result.txt': '3ba8d02b16fd2a01c1a8ba1a1f036d7ce386ed953696fa57331c2ac48a80b255',
    })
  })

  test('equal bytes have equal content hashes, whatever the run is called', async () => {
    const a = await finished({ name: 'a' })
    const b = await finished({ name: 'b' })
    expect(contentHash(a.manifest)).toBe(contentHash(b.manifest))
    expect(existsSync(join(a.directory, '.lock'))).toBe(false)
  })

  test('a discarded run leaves nothing', async () => {
    const run = await begin({ name: 'run42' })
    await run.discard()
    expect(existsSync(run.directory)).toBe(false)
  })
})

describe('two writers', () => {
  test('of one run: the second is told who writes, and that trying again helps', async () => {
    const run = await begin({ name: 'run42' })
    await expect(store.open({ ...request, name: 'run42' }, now)).rejects.toMatchObject({
      exitCode: 75,
      message: `The run ${run.directory} is being written by process ${process.pid} on ${hostname()}.`,
    })
    await run.stop('interrupted')
  }, 10_000)

  test('a run that was taken over is not closed by who had it before', async () => {
    const run = await begin({ name: 'run42' })
    rmSync(join(run.directory, '.lock'), { recursive: true })
    const second = await begin({ name: 'run42' })
    await expect(run.finish({})).rejects.toThrow('was taken over by another process')
    await second.finish({ fvu: 0.07 })
    expect((await store.find('run42')).manifest.summary).toEqual({ fvu: 0.07 })
  })

  test('what a killed process left of a discarded run is removed by the next', async () => {
    mkdirSync(join(folder, '.discarded-1234'))
    writeFileSync(join(folder, '.discarded-1234', 'shard'), '')
    expect((await store.list()).runs).toEqual([])
    await finished({ name: 'run42' })
    expect(readdirSync(folder)).toEqual(['run42'])
  })
})

describe('finding', () => {
  test('names the nearest ids when there is none', async () => {
    await finished({ name: 'run42' })
    await expect(store.find('run43')).rejects.toMatchObject({
      message: `There is no run run43 in ${folder}.`,
      fix: 'Did you mean run42? `pipeline runs list` shows all.',
    })
  })

  test('does not name a run again that lost its manifest, and says that', async () => {
    const { directory } = await finished({ name: 'run42' })
    rmSync(join(directory, 'run.json'))
    await expect(store.find('run42')).rejects.toMatchObject({
      message: `${directory} has no run.json: it is no run, or one that lost its manifest.`,
    })
  })

  test('finds a run by directory too, and refuses another stage or an unfinished one', async () => {
    const run = await finished({ name: 'run42' })
    expect((await store.find(run.directory)).manifest.id).toBe('run42')
    await expect(store.finished('run42', ['capture'])).rejects.toThrow('is a train run, but a capture run is needed')
    const open = await begin({ name: 'other', seed: 9 })
    await open.stop('interrupted')
    await expect(store.finished('other', ['train'])).rejects.toThrow('is not finished (its status is interrupted)')
  })

  test('refuses a manifest of a schema it does not know', async () => {
    const run = await finished({ name: 'run42' })
    writeFileSync(join(run.directory, 'run.json'), '{"schema": 1}')
    await expect(store.find('run42')).rejects.toThrow('has schema 1, but this version reads schema 2')
    expect((await store.list()).unreadable).toHaveLength(1)
  })
})
