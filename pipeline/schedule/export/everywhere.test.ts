/**
 * One pipeline file with a schedule, that captures, trains, validates, gates and labels, done on this machine, on two workers through Redis
 * with kills, and by a Slurm of this machine: all results have the same hashes. Takes minutes: only where PIPELINE_LONG is set.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../../core/random.ts'
import { RunStore } from '../../../runs/store.ts'
import { root, runCli, startCli } from '../../../tests/cli.ts'
import { hostsOf } from '../../workers/hosts.fixture.ts'
import { hasProgram, redisServer } from '../../workers/servers.fixture.ts'
import { Book } from '../book.ts'
import { hasSlurm, startSlurm } from './slurm.fixture.ts'

const kills = 4
const config = {
  ...{ name: 'nightly', model: 'toyworld', dataset: { path: 'toyworld', documents: 120 }, engine: 'wasm' },
  capture: { sites: ['blocks.1.hook_resid_post'], shardRows: 300, gates: { minimumCoverage: 0.2 } },
  train: { latents: 64, k: 4 },
  validate: {
    ...{ latents: 2, documents: 6, tokens: 3000, maxTokens: 3000, studies: [] },
    gates: { maximumRefuted: 2 },
  },
  label: { tokens: 3000 },
  schedule: { cron: '0 3 * * *' },
}

let folder: string
let file: string
/** What was found on this machine, by one process a stage: hashes of all files by stage, verdict, exit code. */
let alone: Found

interface Found {
  readonly hashes: Readonly<Record<string, object>>
  readonly exitCode: number
}

async function hashesOf(runs: string): Promise<Found['hashes']> {
  const { runs: all } = await new RunStore(runs).list()
  return Object.fromEntries(all.map(({ manifest }) => [manifest.stage, manifest.files]))
}

/** Adds the schedule to a folder of runs. */
async function add(runs: string): Promise<void> {
  expect((await runCli(['schedule', 'add', file, '--folder', folder, '--runs-dir', runs])).code).toBe(0)
}

describe.runIf(process.env.PIPELINE_LONG)('one pipeline file', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pipeline-everywhere-'))
    file = join(folder, 'nightly.yaml')
    writeFileSync(file, JSON.stringify(config))
    const runs = join(folder, 'alone')
    await add(runs)
    const { code } = await runCli(['schedule', 'run-now', 'nightly', '--runs-dir', runs])
    alone = { hashes: await hashesOf(runs), exitCode: code! }
  }, 0)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('is done here at its time, and its gates have a verdict', async () => {
    expect(Object.keys(alone.hashes).sort()).toEqual(['capture', 'label', 'train', 'validate'])
    const [line] = await new Book(join(folder, 'alone')).journal('nightly')
    expect(line).toMatchObject({
      exitCode: alone.exitCode,
      verdict: alone.exitCode === 0 ? 'accepted' : 'inconclusive',
    })
  })

  test.runIf(hasProgram('redis-server'))(
    'gives the same on two workers through Redis, which are killed with what they have in work',
    async () => {
      const redis = await redisServer(join(folder, 'redis'))
      await redis.start()
      const runs = join(folder, 'shared')
      const env = { PIPELINE_QUEUE: redis.url }
      const start = () => startCli(['worker', '--runs-dir', runs, '--lock', '15', '--threads', '1'], { env })
      const workers = [start(), start()]
      const asked = startCli(['run', file, '--on', 'queue', '--units-per-job', '1', '--runs-dir', runs], { env })
      let isOver = false
      const ended = asked.ended.finally(() => {
        isOver = true
      })
      const random = new Random(0, 'everywhere')
      let killed = 0
      while (!isOver && killed < kills) {
        await sleep(50)
        const place = random.int(workers.length)
        const [host] = await hostsOf(workers[place]!.child.pid!)
        if (host === undefined) continue
        await sleep(2000 * random.uniform())
        // By turns a process at work and a worker, whose place is taken by another.
        const isWorker = killed % 2 === 1
        if (!isWorker && !(await hostsOf(workers[place]!.child.pid!)).includes(host)) continue
        process.kill(isWorker ? workers[place]!.child.pid! : host, 'SIGKILL')
        if (isWorker) workers[place] = start()
        killed++
      }
      const { code, stderr } = await ended
      expect({ code, stderr, killed }).toMatchObject({ code: alone.exitCode, killed: kills })
      for (const { child } of workers) child.kill('SIGTERM')
      await Promise.all(workers.map(worker => worker.ended))
      await redis.kill()
      expect(await hashesOf(runs)).toEqual(alone.hashes)
    },
    0,
  )

  test.runIf(hasSlurm())(
    'gives the same by arrays of shares of Slurm and what is between them, and one line in the journal',
    async () => {
      const slurm = await startSlurm(join(folder, 'slurm'))
      try {
        const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
        const program = join(folder, 'pipeline')
        const line = `exec '${process.execPath}' --import '${tsx}' '${root}pipeline/cli.ts' "$@"`
        writeFileSync(program, `#!/bin/sh\n${line}\n`, { mode: 0o755 })
        const runs = join(folder, 'slurm-runs')
        await add(runs)
        const how = ['--slurm', '--shares', '3', '--command', program, '--runs-dir', runs]
        const script = (await runCli(['schedule', 'export', 'nightly', ...how])).stdout
        const ids = execFileSync('sh', ['-s'], { input: script, env: slurm.env, encoding: 'utf8' }).trim().split('\n')
        // Two arrays, what closes the run of each, and all that is left.
        expect(ids.length).toBeGreaterThanOrEqual(4)
        const book = new Book(runs)
        while ((await book.journal('nightly')).length === 0) {
          const left = slurm.asked('squeue', ['-h', '-o', '%T %r'])
          if (left === '' && (await book.journal('nightly')).length === 0) throw new Error('Slurm did not do all jobs.')
          await sleep(1000)
        }
        const lines = await book.journal('nightly')
        expect(lines).toHaveLength(1)
        expect(lines[0]!.exitCode).toBe(alone.exitCode)
        expect(await hashesOf(runs)).toEqual(alone.hashes)
      } finally {
        await slurm.stop()
      }
    },
    0,
  )
})
