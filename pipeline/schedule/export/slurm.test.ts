/** The script for Slurm, run by a Slurm of this machine: its run has the bytes of one process. Only where PIPELINE_LONG is set. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readRunManifest } from '../../../runs/folder.ts'
import { RunStore } from '../../../runs/store.ts'
import { root, runCli } from '../../../tests/cli.ts'
import { hasProgram } from '../../workers/servers.fixture.ts'
import { Book } from '../book.ts'

const programs = ['munged', 'slurmctld', 'slurmd', 'sbatch']
const isAsked = process.env.PIPELINE_LONG && process.getuid?.() === 0 && programs.every(hasProgram)

let folder: string
const daemons: number[] = []
const pidOf = (file: string) => Number(readFileSync(file, 'utf8'))

/** Munge, by which Slurm's parts know each other, and a Slurm of one node, this machine. */
async function startSlurm(): Promise<string> {
  if (!existsSync('/run/munge/munge.socket.2')) {
    mkdirSync('/run/munge', { recursive: true })
    execFileSync('chown', ['munge', '/run/munge'])
    execFileSync('runuser', ['-u', 'munge', '--', 'munged', '--force'], { stdio: 'ignore' })
    daemons.push(pidOf('/run/munge/munged.pid'))
  }
  const place = join(folder, 'slurm')
  for (const name of ['state', 'spool']) mkdirSync(join(place, name), { recursive: true })
  const [host] = hostname().split('.')
  const path = join(place, 'slurm.conf')
  const processors = execFileSync('nproc', { encoding: 'utf8' }).trim()
  const lines = [
    'ClusterName=test',
    `SlurmctldHost=${host}(127.0.0.1)`,
    'SlurmUser=root',
    'SlurmctldPort=36917',
    'SlurmdPort=36918',
    'AuthType=auth/munge',
    `StateSaveLocation=${place}/state`,
    `SlurmdSpoolDir=${place}/spool`,
    ...['slurmctld', 'slurmd'].flatMap(name => [
      `${name === 'slurmd' ? 'Slurmd' : 'Slurmctld'}PidFile=${place}/${name}.pid`,
      `${name === 'slurmd' ? 'Slurmd' : 'Slurmctld'}LogFile=${place}/${name}.log`,
    ]),
    'ProctrackType=proctrack/linuxproc',
    'TaskPlugin=task/none',
    'ReturnToService=2',
    'SelectType=select/cons_tres',
    'SelectTypeParameters=CR_CPU',
    'AccountingStorageType=accounting_storage/none',
    'JobCompType=jobcomp/none',
    'MpiDefault=none',
    `NodeName=${host} NodeAddr=127.0.0.1 CPUs=${processors} State=UNKNOWN`,
    'PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4',
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  for (const args of [
    ['slurmctld', '-c', '-f', path],
    ['slurmd', '-f', path],
  ])
    spawn(args[0]!, args.slice(1), { stdio: 'ignore' }).unref()
  for (const name of ['slurmctld', 'slurmd']) {
    const file = join(place, `${name}.pid`)
    while (!existsSync(file)) await sleep(100)
    daemons.push(pidOf(file))
  }
  return path
}

/** What a program of Slurm prints; undefined where the controller is too busy to answer, which is no end of a job. */
function asked(program: string, args: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  try {
    return execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-slurm-'))
})
afterAll(async () => {
  // Jobs that a failed test left would outlive the daemons.
  asked('scancel', ['--user=root'], { ...process.env, SLURM_CONF: join(folder, 'slurm/slurm.conf') })
  for (const pid of daemons.reverse())
    try {
      process.kill(pid, 'SIGTERM')
    } catch {
      // It has ended.
    }
  await sleep(1000)
  rmSync(folder, { recursive: true, force: true })
})

test.runIf(isAsked)(
  'arrays of shares for three stages and what is between them make the run of one process, and a line in the journal',
  async () => {
    const env = { ...process.env, SLURM_CONF: await startSlurm() }
    const file = join(folder, 'nightly.yaml')
    const config = {
      name: 'nightly',
      model: 'toyworld',
      dataset: { path: 'toyworld', documents: 300 },
      capture: { sites: ['blocks.1.hook_resid_post'], shardRows: 2000 },
      train: { latents: 64, k: 4 },
      validate: { latents: 2, studies: [] },
      label: { tokens: 3000 },
      schedule: { cron: '0 3 * * *' },
    }
    writeFileSync(file, JSON.stringify(config))
    const alone = join(folder, 'alone')
    expect([0, 3]).toContain((await runCli(['run', file, '--runs-dir', alone])).code)

    const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
    const program = join(folder, 'pipeline')
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' --import '${tsx}' '${root}pipeline/cli.ts' "$@"\n`, {
      mode: 0o755,
    })
    const runs = join(folder, 'runs')
    expect((await runCli(['schedule', 'add', file, '--folder', folder, '--runs-dir', runs])).code).toBe(0)
    const exporting = [
      'schedule',
      'export',
      'nightly',
      '--slurm',
      '--shares',
      '3',
      '--command',
      program,
      '--runs-dir',
      runs,
    ]
    const script = (await runCli(exporting)).stdout
    const ids = execFileSync('sh', ['-s'], { input: script, env, encoding: 'utf8' }).trim().split('\n')
    expect(ids).toHaveLength(6)
    const book = new Book(runs)
    while ((await book.journal('nightly')).length === 0) {
      const left = asked('squeue', ['-h', '-o', '%T %r'], env)
      if (left === '' && (await book.journal('nightly')).length === 0) throw new Error('Slurm did not do all jobs.')
      await sleep(1000)
    }
    const [line] = await book.journal('nightly')
    expect(['accepted', 'inconclusive']).toContain(line!.verdict)
    const filesOf = async (directory: string) => {
      const { runs: all } = await new RunStore(directory).list()
      return Promise.all(all.map(async run => [run.manifest.stage, (await readRunManifest(run.directory))!.files]))
    }
    expect(await filesOf(runs)).toEqual(await filesOf(alone))
  },
  1_200_000,
)
