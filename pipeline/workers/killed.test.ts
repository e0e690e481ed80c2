/**
 * Five hundred jobs whose workers are killed at random fifty times, and whose server twice: every part is made, the run has the
 * bytes of one process, and no unit is begun more often than kills explain. Takes minutes: only where PIPELINE_LONG is set.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { readRunManifest } from '../../runs/folder.ts'
import { startCli } from '../../tests/cli.ts'
import { writeTinyModel } from '../../tests/tiny-model.ts'
import capture from '../stages/capture.ts'
import { performStage, type StageResult } from '../stages/perform.ts'
import { type Stage, type StageConfig, stageSchema } from '../stages/stage.ts'
import { session } from '../stages/store.fixture.ts'
import { hostsOf } from './hosts.fixture.ts'
import { openQueue } from './queue.ts'
import { performRemotely } from './remote.ts'
import { hasProgram, redisServer } from './servers.fixture.ts'

const jobs = 500
const kills = 50
const restarts = 2
const isAsked = process.env.PIPELINE_LONG && hasProgram('redis-server')

const folder = mkdtempSync(join(tmpdir(), 'pipeline-killed-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.runIf(isAsked)(
  'fifty kills and two crashes of the server change no byte and do nothing twice but what was in work',
  async () => {
    await writeTinyModel(join(folder, 'model'))
    mkdirSync(join(folder, 'text'))
    for (let i = 0; i < jobs; i++)
      writeFileSync(
        join(folder, 'text', `${String(i).padStart(4, '0')}.txt`),
        'Mary lives in Paris . '.repeat(2 + (i % 3)),
      )
    const stage = capture as unknown as Stage
    const settings = (runs: string) =>
      stageSchema(stage).parse({
        model: join(folder, 'model'),
        dataset: { path: join(folder, 'text'), heldOut: { fraction: 0.01 } },
        sites: ['blocks.0.hook_resid_post'],
        shardRows: 1,
        engine: 'wasm',
        'runs-dir': join(folder, runs),
      }) as StageConfig
    const filesOf = async ({ directory }: StageResult) => (await readRunManifest(directory))!.files
    const alone = await filesOf((await performStage(stage, settings('alone'), session)) as StageResult)
    const units = Object.keys(alone).filter(name => name.startsWith('shard')).length
    expect(units).toBeGreaterThan(jobs * 0.95)

    const server = await redisServer(join(folder, 'redis'), ['--appendfsync', 'always'])
    await server.start()
    const args = [
      'worker',
      '--queue',
      server.url,
      '--runs-dir',
      join(folder, 'shared'),
      '--lock',
      '4',
      '--threads',
      '1',
    ]
    const workers = [startCli(args), startCli(args)]
    const random = new Random(0, 'kills')
    const counts = { worker: 0, host: 0, server: 0 }
    let ended = false
    const chaos = async () => {
      for (let kill = 0; kill < kills && !ended; kill++) {
        await sleep(300 + random.uniform() * 2500)
        const place = random.int(workers.length)
        const { pid } = workers[place]!.child
        const [host] = await hostsOf(pid!)
        if (host !== undefined && random.uniform() < 0.5) {
          process.kill(host, 'SIGKILL')
          counts.host++
        } else {
          process.kill(pid!, 'SIGKILL')
          counts.worker++
          workers[place] = startCli(args)
        }
        if ((kill + 1) % Math.floor(kills / (restarts + 1)) === 0 && counts.server < restarts) {
          await server.kill()
          await sleep(500)
          await server.start()
          counts.server++
        }
      }
    }
    const killing = chaos()
    const queue = await openQueue(server.url)
    const remote = performRemotely(stage, settings('shared'), session, {
      queue,
      unitsPerJob: 1,
      priority: 100,
      look: 0.5,
    })
    const [result] = await remote
    ended = true
    await killing
    const begun = await queue.begun()
    console.info(JSON.stringify({ units, ...counts, begun }))
    expect(await filesOf(result!)).toEqual(alone)
    // What was in work when its process, its worker or the server ended was begun again; nothing else was.
    expect(begun).toBeLessThanOrEqual(units + counts.host + counts.worker + counts.server * workers.length)
    for (const { child } of workers) child.kill('SIGTERM')
    await Promise.all(workers.map(({ ended }) => ended))
    expect(await hostsOf(process.pid)).toEqual([])
    await queue.close()
    await server.kill()
  },
  1_800_000,
)
