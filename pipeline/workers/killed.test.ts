/**
 * Five hundred jobs whose workers are killed at random fifty times, and whose server twice: every part is made, the run has the
 * bytes of one process, and no unit is begun more often than kills explain. Takes minutes: only where PIPELINE_LONG is set.
 * It ends when it is done, or when no unit was done for long, however slow the machine is.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { readRunManifest } from '../../runs/folder.ts'
import { startCli } from '../../tests/cli.ts'
import { writeTinyModel } from '../../tests/tiny-model.ts'
import capture from '../stages/capture.ts'
import { partsOf } from '../stages/divide.ts'
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
/** Minutes without a unit that is done after which the work counts as stuck. */
const stuckAfter = 10
const isAsked = process.env.PIPELINE_LONG && hasProgram('redis-server')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-killed-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What `work` gives; throws where `progress` stays the same for too long. */
async function whileThereIsProgress<T>(work: Promise<T>, progress: () => Promise<number>): Promise<T> {
  const over = new AbortController()
  const watch = async (): Promise<never> => {
    for (let [last, since] = [-1, performance.now()]; ; await sleep(2000, undefined, { signal: over.signal })) {
      const now = await progress()
      if (now !== last) [last, since] = [now, performance.now()]
      if (performance.now() - since > stuckAfter * 60_000)
        throw new Error(`Nothing was done for long after ${now} units.`)
    }
  }
  try {
    return await Promise.race([work, watch()])
  } finally {
    over.abort()
  }
}

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
    const one = (await performStage(stage, settings('alone'), session)) as StageResult
    const alone = await filesOf(one)
    const units = Object.keys(alone).filter(name => name.startsWith('shard')).length
    expect(units).toBeGreaterThan(jobs * 0.95)

    const server = await redisServer(join(folder, 'redis'))
    await server.start()
    const args = [
      'worker',
      '--queue',
      server.url,
      '--runs-dir',
      join(folder, 'shared'),
      '--lock',
      // A busy machine may leave a worker without its turn for seconds.
      '15',
      '--threads',
      '1',
    ]
    const workers = [startCli(args), startCli(args)]
    const random = new Random(0, 'kills')
    const counts = { worker: 0, host: 0, server: 0 }
    const parts = await partsOf(settings('shared'), (await readRunManifest(one.directory))!.key)
    /** A worker that has a process at work, of which or of whose process one is killed; then the next such moment is waited for. */
    const chaos = async () => {
      for (let kill = 0; kill < kills; kill++) {
        const due = Math.floor(((kill + 0.5) / kills) * units * 0.95)
        while ((await parts.done()).size < due) await sleep(50)
        const place = random.int(workers.length)
        let host: number | undefined
        while (host === undefined) {
          await sleep(50)
          host = (await hostsOf(workers[place]!.child.pid!))[0]
          if ((await parts.done()).size >= units) return
        }
        await sleep(random.uniform() * 200)
        const isHost = random.uniform() < 0.7
        try {
          process.kill(isHost ? host : workers[place]!.child.pid!, 'SIGKILL')
        } catch {
          // The process of a job that failed was ended meanwhile by its worker.
          kill--
          continue
        }
        counts[isHost ? 'host' : 'worker']++
        if (!isHost) workers[place] = startCli(args)
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
    const work = Promise.all([remote, killing])
    const [[result]] = await whileThereIsProgress(work, async () => (await parts.done()).size)
    const begun = await queue.begun()
    console.info(JSON.stringify({ units, ...counts, begun }))
    expect(await filesOf(result!)).toEqual(alone)
    expect({ kills: counts.host + counts.worker, server: counts.server }).toEqual({ kills, server: restarts })
    // What was in work when its process, its worker or the server ended was begun again; nothing else was.
    expect(begun).toBeLessThanOrEqual(units + counts.host + counts.worker + counts.server * workers.length)
    for (const { child } of workers) child.kill('SIGTERM')
    await Promise.all(workers.map(({ ended }) => ended))
    expect(await hostsOf(process.pid)).toEqual([])
    await queue.close()
    await server.kill()
  },
  0,
)
