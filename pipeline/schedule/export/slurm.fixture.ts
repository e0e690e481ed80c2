/** A Slurm of one node, this machine, for tests that run as root where Debian's slurm and munge are. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasProgram } from '../../workers/servers.fixture.ts'

/** Whether a Slurm can be started here. */
export function hasSlurm(): boolean {
  return process.getuid?.() === 0 && ['munged', 'slurmctld', 'slurmd', 'sbatch'].every(hasProgram)
}

export interface TestSlurm {
  /** What its programs are to be started with. */
  readonly env: NodeJS.ProcessEnv
  /** What one of its programs prints; undefined where the controller is too busy to answer, which is no end of a job. */
  asked(program: string, args: readonly string[]): string | undefined
  /** Ends its jobs and its daemons. */
  stop(): Promise<void>
}

const pidOf = (file: string) => Number(readFileSync(file, 'utf8'))

/** Starts munge, by which Slurm's parts know each other, where it does not run, and a Slurm with its state in `place`. */
export async function startSlurm(place: string): Promise<TestSlurm> {
  const daemons: number[] = []
  if (!existsSync('/run/munge/munge.socket.2')) {
    mkdirSync('/run/munge', { recursive: true })
    execFileSync('chown', ['munge', '/run/munge'])
    execFileSync('runuser', ['-u', 'munge', '--', 'munged', '--force'], { stdio: 'ignore' })
    daemons.push(pidOf('/run/munge/munged.pid'))
  }
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
  const env = { ...process.env, SLURM_CONF: path }
  const asked = (program: string, args: readonly string[]) => {
    try {
      return execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    } catch {
      return undefined
    }
  }
  return {
    ...{ env, asked },
    async stop() {
      // Jobs that a failed test left would outlive the daemons.
      asked('scancel', ['--user=root'])
      for (const pid of daemons.reverse())
        try {
          process.kill(pid, 'SIGTERM')
        } catch {
          // It has ended.
        }
      await sleep(1000)
    },
  }
}
