/** Ctrl-C and SIGTERM end the command line soon and with code 4, whatever it is doing. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCli } from './cli.ts'

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
