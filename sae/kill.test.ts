import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashPath } from '../core/hash.ts'
import { startEngine } from '../engine/engine.ts'
import { trainInto } from './kill.fixture.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'sae-kill-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Starts the training in a process of its own and kills it, with no chance to tidy up, once it has logged that step. */
function killedAt(step: number, directory: string): Promise<void> {
  const script = fileURLToPath(new URL('./kill.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory], { stdio: ['ignore', 'pipe', 'ignore'] })
  return new Promise((resolve, reject) => {
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.split('\n').includes(String(step))) child.kill('SIGKILL')
    })
    child.on('exit', (_, signal) =>
      signal === 'SIGKILL' ? resolve() : reject(new Error(`it ended by itself: ${said}`)),
    )
  })
}

test('killed twice and started again, a training ends in the bytes of one that was left alone', async () => {
  const [whole, cut] = [join(folder, 'whole'), join(folder, 'cut')]
  await trainInto(whole, () => {})
  await killedAt(10, cut)
  await killedAt(30, cut)
  let first: number | undefined
  await trainInto(cut, step => {
    first ??= step
  })
  // It went on from a checkpoint, not from the start.
  expect(first).toBeGreaterThanOrEqual(28)
  expect(await hashPath(cut)).toBe(await hashPath(whole))
})
