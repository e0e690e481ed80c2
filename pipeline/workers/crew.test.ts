/** Processes that share a capture leave the bytes of one process, whatever becomes of them. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256File } from '../../core/hash.ts'
import { silent } from '../../core/progress.ts'
import { startS3Server } from '../../objects/s3-server.fixture.ts'
import { readRunManifest } from '../../runs/folder.ts'
import { RunStore } from '../../runs/store.ts'
import { compiledModule } from '../../tests/compiled.ts'
import { writeTinyModel } from '../../tests/tiny-model.ts'
import type { StageResult } from '../stages/perform.ts'
import type { StageConfig } from '../stages/stage.ts'
import { session } from '../stages/store.fixture.ts'
import { hostsOf } from './hosts.fixture.ts'

const { performStage } = await compiledModule<typeof import('../stages/perform.ts')>('pipeline/stages/perform.ts')
const { performShare } = await compiledModule<typeof import('../stages/share.ts')>('pipeline/stages/share.ts')
const { stageSchema } = await compiledModule<typeof import('../stages/stage.ts')>('pipeline/stages/stage.ts')
const { openUnits } = await compiledModule<typeof import('../stages/divide.ts')>('pipeline/stages/divide.ts')
const { stageNamed } = await compiledModule<typeof import('../stages/index.ts')>('pipeline/stages/index.ts')
const { localCrew } = await compiledModule<typeof import('./crew.ts')>('pipeline/workers/crew.ts')

const stage = stageNamed('capture')
let folder: string
let alone: Record<string, string>

const settings = (runs: string, own: Record<string, unknown> = {}) =>
  stageSchema(stage).parse({
    model: join(folder, 'model'),
    dataset: { path: join(folder, 'text'), context: 32 },
    sites: ['blocks.0.hook_resid_post'],
    shardRows: 40,
    engine: 'wasm',
    'runs-dir': join(folder, runs),
    ...own,
  }) as StageConfig

async function filesOf(result: StageResult): Promise<Record<string, string>> {
  return (await readRunManifest(result.directory))!.files
}

const shared = async (runs: string, workers: number, own: Partial<typeof session> = {}) =>
  (await performStage(
    stage,
    settings(runs, { workers }),
    { ...session, ...own },
    localCrew(workers, { ...session, ...own }),
  )) as StageResult

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-crew-'))
  await writeTinyModel(join(folder, 'model'))
  mkdirSync(join(folder, 'text'))
  for (let i = 0; i < 30; i++)
    writeFileSync(join(folder, 'text', `${i}.txt`), 'Mary lives in Paris . John likes Rome . '.repeat(3 + (i % 4)))
  alone = await filesOf((await performStage(stage, settings('alone'), session)) as StageResult)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('two processes, of which one is killed and replaced, leave the bytes of one, and no parts', async () => {
  const notes: string[] = []
  const running = shared('two', 2, { progress: { ...silent, note: line => notes.push(line) } })
  let host: number | undefined
  while (host === undefined) {
    await sleep(20)
    host = (await hostsOf(process.pid))[0]
  }
  process.kill(host, 'SIGKILL')
  const result = await running
  expect(Object.keys(alone).length).toBeGreaterThan(5)
  expect(await filesOf(result)).toEqual(alone)
  expect(notes.join('\n')).toContain('another one takes its place')
  expect(readdirSync(join(folder, 'two/.parts'))).toEqual([])
  const { engine } = (await readRunManifest(result.directory))!
  const shards = Object.keys(alone).filter(name => name.startsWith('shard')).length
  expect(Object.values(engine.parts as Record<string, number>)).toEqual([shards])
  for (const [name, hash] of Object.entries(alone)) expect(await sha256File(join(result.directory, name))).toBe(hash)
})

test('shares by number leave parts, of which the ordinary command makes the run', async () => {
  const shares = []
  for (const shard of [1, 0]) shares.push(await performShare(stage, settings('shares', { shard, of: 2 }), session))
  const [second, first] = shares
  expect(first!.own + second!.own).toBe(first!.units)
  expect([first!.made, second!.made]).toEqual([first!.own, second!.own])
  expect(await performShare(stage, settings('shares', { shard: 0, of: 2 }), session)).toMatchObject({ made: 0 })
  expect((await new RunStore(join(folder, 'shares')).list()).runs).toEqual([])
  const result = (await performStage(stage, settings('shares'), session)) as StageResult
  expect(await filesOf(result)).toEqual(alone)
  const late = await performShare(stage, settings('shares', { shard: 0, of: 2 }), session)
  expect(late).toMatchObject({ made: 0, run: result.run })
})

test('parts in an S3 bucket make the same run, and the bucket is left empty, also by who comes late or was killed', async () => {
  const server = await startS3Server()
  const keys = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL: server.endpoint }
  Object.assign(process.env, keys)
  try {
    const parts = 's3://bucket/parts'
    await performShare(stage, settings('s3', { parts, shard: 1, of: 2 }), session)
    expect(server.objects.size).toBeGreaterThan(3)
    const late = await openUnits(stage, settings('s3', { parts }), session)
    if ('finished' in late) throw new Error('The run is there already.')
    const result = (await performStage(stage, settings('s3', { parts }), session)) as StageResult
    expect(await filesOf(result)).toEqual(alone)
    expect(server.objects.size).toBe(0)
    expect(await late.work(0)).toBe(false)
    await late.close()
    expect(server.objects.size).toBe(0)
    // What one leaves that is killed between its part and its look whether the run is closed.
    for (const name of ['units/shard-00000.json', 'objects/0'])
      server.objects.set(`parts/${(await readRunManifest(result.directory))!.key}/${name}`, Buffer.from('{}'))
    expect(await performStage(stage, settings('s3', { parts }), session)).toMatchObject({ state: 'unchanged' })
    expect(server.objects.size).toBe(0)
  } finally {
    for (const name of Object.keys(keys)) delete process.env[name]
    await server.close()
  }
})

test('a part that was damaged is refused, and done again by the next start', async () => {
  await performShare(stage, settings('damaged', { shard: 0, of: 1 }), session)
  const [key] = readdirSync(join(folder, 'damaged/.parts'))
  const objects = join(folder, 'damaged/.parts', key!, 'objects')
  const [name] = readdirSync(objects)
  writeFileSync(join(objects, name!), 'damaged')
  await expect(performStage(stage, settings('damaged'), session)).rejects.toThrow('was damaged')
  expect(await filesOf((await performStage(stage, settings('damaged'), session)) as StageResult)).toEqual(alone)
})

test('parts of another kind of processor are refused unless they are asked for', async () => {
  await performShare(stage, settings('mixed', { shard: 0, of: 2 }), session)
  const [key] = readdirSync(join(folder, 'mixed/.parts'))
  const units = join(folder, 'mixed/.parts', key!, 'units')
  const [name] = readdirSync(units)
  const record = JSON.parse(readFileSync(join(units, name!), 'utf8'))
  writeFileSync(join(units, name!), JSON.stringify({ ...record, computedOn: 'tensorflow-avx2' }))
  await expect(performStage(stage, settings('mixed'), session)).rejects.toThrow('tensorflow-avx2')
  const result = (await performStage(stage, settings('mixed', { mixed: true }), session)) as StageResult
  expect((await readRunManifest(result.directory))!.engine.parts).toMatchObject({ 'tensorflow-avx2': 1 })
})

test.runIf(process.env.PIPELINE_LONG)('what a worker process meets is thrown as what it is', async () => {
  const wrong = settings('wrong', { sites: ['blocks.9.hook_resid_post'], workers: 2 })
  const perform = performStage(stage, wrong, session, localCrew(2, session))
  await expect(perform).rejects.toThrow('has no site blocks.9.hook_resid_post')
  expect((await new RunStore(join(folder, 'wrong')).list()).runs).toEqual([])
})

test.runIf(process.env.PIPELINE_LONG)('an interrupt stops all processes and leaves a run that goes on', async () => {
  const controller = new AbortController()
  const running = shared('stopped', 2, { signal: controller.signal })
  while ((await hostsOf(process.pid)).length < 2) await sleep(20)
  controller.abort()
  await expect(running).rejects.toThrow('Stopped between two parts.')
  expect(await hostsOf(process.pid)).toEqual([])
  expect((await new RunStore(join(folder, 'stopped')).list()).runs[0]!.manifest.status).toBe('interrupted')
  expect(await filesOf(await shared('stopped', 1))).toEqual(alone)
})
