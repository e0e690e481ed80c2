/**
 * Machines of a queue that share no folder but a bucket: a pipeline file done by two workers with folders of their own, one of which
 * is killed, has the bytes of one process. Takes minutes: only where PIPELINE_LONG is set.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startS3Server } from '../../objects/s3-server.fixture.ts'
import { RunStore } from '../../runs/store.ts'
import { runCli, startCli } from '../../tests/cli.ts'
import { hostsOf } from './hosts.fixture.ts'
import { hasProgram, redisServer } from './servers.fixture.ts'

const isAsked = process.env.PIPELINE_LONG && hasProgram('redis-server')
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-apart-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Hashes of the files of every finished run of a folder, by stage. */
async function hashesOf(runs: string): Promise<Record<string, object>> {
  const { runs: all } = await new RunStore(join(folder, runs)).list()
  return Object.fromEntries(all.map(({ manifest }) => [manifest.stage, manifest.files]))
}

test.runIf(isAsked)(
  'two workers with folders of their own and one bucket make the runs of one process',
  async () => {
    const file = join(folder, 'nightly.yaml')
    const config = {
      ...{ name: 'nightly', model: 'toyworld', dataset: { path: 'toyworld', documents: 120 }, engine: 'wasm' },
      capture: { sites: ['blocks.1.hook_resid_post'], shardRows: 300 },
      train: { latents: 64, k: 4 },
      validate: { latents: 2, documents: 6, tokens: 3000, maxTokens: 3000, studies: [] },
      label: { tokens: 3000, batchTokens: 512 },
    }
    writeFileSync(file, JSON.stringify(config))
    expect([0, 3]).toContain((await runCli(['run', file, '--runs-dir', join(folder, 'alone')])).code)

    const bucket = await startS3Server()
    const redis = await redisServer(join(folder, 'redis'))
    await redis.start()
    const env = {
      ...{ AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_ENDPOINT_URL: bucket.endpoint },
      ...{ PIPELINE_QUEUE: redis.url, PIPELINE_STORE: 's3://bucket/nightly' },
    }
    const start = (name: string) =>
      startCli(['worker', '--runs-dir', join(folder, name), '--lock', '4', '--threads', '1'], { env })
    const workers = [start('one'), start('two')]
    const asked = startCli(['run', file, '--on', 'queue', '--runs-dir', join(folder, 'asking')], { env })
    // One is killed with what it has in work, as soon as there are parts; its place is taken by a new machine with an empty folder.
    while (![...bucket.objects.keys()].some(name => name.includes('/units/'))) await sleep(50)
    workers[0]!.child.kill('SIGKILL')
    workers.push(start('three'))
    const { code, stderr } = await asked.ended
    expect({ code, stderr }).toMatchObject({ code: expect.toSatisfy((code: number) => code === 0 || code === 3) })
    for (const { child } of workers) child.kill('SIGTERM')
    await Promise.all(workers.map(({ ended }) => ended))
    expect(await hostsOf(process.pid)).toEqual([])

    const alone = await hashesOf('alone')
    expect(Object.keys(alone).sort()).toEqual(['capture', 'label', 'train', 'validate'])
    expect(await hashesOf('asking')).toEqual(alone)
    // A process of the worker that was killed may be ended between a late part and its look whether the run is closed.
    expect([0, 3]).toContain((await runCli(['run', file, '--runs-dir', join(folder, 'asking')], { env })).code)
    const names = [...bucket.objects.keys()]
    expect(names.filter(name => name.startsWith('nightly/runs/'))).toHaveLength(4)
    expect(names.filter(name => name.startsWith('nightly/parts/'))).toEqual([])
    await redis.kill()
    await bucket.close()
  },
  1_200_000,
)
