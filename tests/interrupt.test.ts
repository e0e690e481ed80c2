/** Ctrl-C and SIGTERM end the command line soon and with code 4, whatever it is doing. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hostsOf, lives } from '../pipeline/workers/hosts.fixture.ts'
import { readRunManifest } from '../runs/folder.ts'
import { runCli, startCli } from './cli.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-interrupt-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('an interrupt that comes while the program is still loading ends it before any work', async () => {
  const preload = join(folder, 'at-once.mjs')
  writeFileSync(
    preload,
    `process.on('newListener', event => {
      if (event === 'SIGINT') setImmediate(() => process.kill(process.pid, 'SIGINT'))
    })`,
  )
  const args = ['capture', '--model', 'toyworld', '--dataset', 'toyworld', '--sites', 'hook_embed']
  const { ended } = startCli(args, { imports: [preload], env: { PIPELINE_RUNS: join(folder, 'none') } })
  const { code, stderr } = await ended
  expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringContaining('Stopped before the work began.') })
})

test('SIGTERM ends the tokenising of one long document within seconds', async () => {
  const path = join(folder, 'long.txt')
  writeFileSync(path, 'Mary lives in Paris . '.repeat(1_500_000))
  // Says when the tokenizer's process is started.
  const preload = join(folder, 'forks.mjs')
  writeFileSync(
    preload,
    `import { createRequire, syncBuiltinESMExports } from 'node:module'
    const processes = createRequire(import.meta.url)('node:child_process')
    const { fork } = processes
    processes.fork = (...rest) => {
      process.stderr.write('forks\\n')
      return fork(...rest)
    }
    syncBuiltinESMExports()`,
  )
  const args = ['capture', '--model', 'toyworld', '--dataset', path, '--sites', 'hook_embed', '--name', 'long']
  const { child, ended } = startCli(args, { imports: [preload], env: { PIPELINE_RUNS: join(folder, 'runs') } })
  let told = ''
  child.stderr!.on('data', text => {
    told += text
  })
  while (child.exitCode === null && !told.includes('forks')) await sleep(20)
  await sleep(1500)
  const start = performance.now()
  child.kill('SIGTERM')
  const { code, stderr } = await ended
  expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringContaining('Reading the text was interrupted.') })
  expect(performance.now() - start).toBeLessThan(20_000)
})

const onLinux = process.platform === 'linux'
test.runIf(process.env.PIPELINE_LONG && onLinux)(
  'Ctrl-C in the middle of a capture by two processes, and of training: code 4, nothing left running, the same bytes later',
  async () => {
    const runs = join(folder, 'cut')
    const env = { PIPELINE_RUNS: runs, PIPELINE_ENGINE: 'wasm' }
    const text = [
      '--model',
      'toyworld',
      '--dataset.path',
      'toyworld',
      '--dataset.documents',
      '400',
      '--shardRows',
      '200',
    ]
    const captured = ['capture', ...text, '--sites', 'blocks.0.hook_resid_post']
    const trained = ['train', '--capture', 'whole-capture', '--latents', '64', '--k', '4', '--batchTokens', '64']
    /** How a command is cut once it shows that it is at work: its exit code, and the processes that it had. */
    const cut = async (args: readonly string[], isAtWork: () => boolean) => {
      const { child, ended } = startCli(args, { env })
      while (child.exitCode === null && !isAtWork()) await sleep(5)
      const hosts = await hostsOf(child.pid!)
      child.kill('SIGINT')
      const { code } = await ended
      return { code, hosts }
    }
    const filesOf = async (name: string) => (await readRunManifest(join(runs, name)))!.files

    expect((await runCli([...captured, '--name', 'whole-capture'], { env })).code).toBe(0)
    const again = [...captured, '--name', 'cut-capture', '--workers', '2', '--seed', '0']
    // Work of the same key is not done twice, so that the whole one is out of the way meanwhile.
    const elsewhere = { PIPELINE_RUNS: join(folder, 'second'), PIPELINE_ENGINE: 'wasm' }
    Object.assign(env, elsewhere)
    const parts = join(folder, 'second', '.parts')
    const isSharing = () =>
      existsSync(parts) && readdirSync(parts, { recursive: true }).some(name => /units\/./.test(String(name)))
    // Killed without a word, its processes end by themselves.
    const killed = startCli(again, { env })
    let hosts: number[] = []
    while (hosts.length < 2) hosts = await hostsOf(killed.child.pid!)
    killed.child.kill('SIGKILL')
    await killed.ended
    while ((await Promise.all(hosts.map(lives))).includes(true)) await sleep(50)
    const first = await cut(again, isSharing)
    expect(first.code).toBe(4)
    expect(first.hosts).toHaveLength(2)
    expect(await Promise.all(first.hosts.map(lives))).toEqual([false, false])
    expect((await runCli(again, { env })).code).toBe(0)
    const second = (await readRunManifest(join(folder, 'second/cut-capture')))!.files
    expect(second).toEqual(await filesOf('whole-capture'))

    Object.assign(env, { PIPELINE_RUNS: runs })
    expect((await runCli([...trained, '--name', 'whole-train'], { env })).code).toBe(0)
    const whole = await filesOf('whole-train')
    rmSync(join(runs, 'whole-train'), { recursive: true })
    const metrics = join(runs, 'cut-train/metrics.jsonl')
    const isTraining = () => existsSync(metrics) && readFileSync(metrics, 'utf8').split('\n').length > 3
    expect((await cut([...trained, '--name', 'cut-train'], isTraining)).code).toBe(4)
    expect((await runCli([...trained, '--name', 'cut-train'], { env })).stdout).toContain('resumed and finished')
    expect(await filesOf('cut-train')).toEqual(whole)
  },
  600_000,
)
