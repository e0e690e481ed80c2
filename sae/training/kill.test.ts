/** The same as resume.test.ts with a real SIGKILL: of every variant and precision where PIPELINE_LONG is set, else of one. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashPath } from '../../core/hash.ts'
import { Random } from '../../core/random.ts'
import { startEngine } from '../../engine/engine.ts'
import { checkpointEvery, configOf, steps, trainInto, variants } from './kill.fixture.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'sae-kill-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** How long the child waits after each step: it is killed in the wait, or while it works on the next step. */
const pause = 40

/** The training in a process of its own. */
function start(variant: string, directory: string, pauses = pause, precision = 'float32') {
  const script = fileURLToPath(new URL('./kill.fixture.ts', import.meta.url))
  const args = ['--import', 'tsx', script, directory, variant, String(pauses), precision]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise<NodeJS.Signals | number | null>(done =>
    child.on('exit', (code, signal) => done(signal ?? code)),
  )
  return { child, ended }
}

/** Starts it and kills it, with no chance to tidy up, some time after a step. */
async function killedAfter(step: number, milliseconds: number, ...training: Parameters<typeof start>): Promise<void> {
  const { child, ended } = start(...training)
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (said.split('\n').includes(String(step))) setTimeout(() => child.kill('SIGKILL'), milliseconds)
  })
  expect(await ended, said).toBe('SIGKILL')
}

const killed = process.env.PIPELINE_LONG ? Object.keys(variants) : ['jumprelu']

test.each(killed)(
  '%s, killed and started again, ends in the bytes of one that was left alone',
  {
    timeout: 240_000,
  },
  async variant => {
    const [whole, cut] = [join(folder, variant, 'whole'), join(folder, variant, 'cut')]
    await trainInto(whole, configOf(variant))
    const random = new Random(9, variant)
    const soon = () => random.int(2 * pause)
    // Near a checkpoint, which the pause comes before, and well before the end.
    const at = checkpointEvery * (1 + random.int(2)) - 1
    await killedAfter(at, soon(), variant, cut)
    if (process.env.PIPELINE_LONG) await killedAfter(at + 1 + random.int(steps - at - 5), soon(), variant, cut)
    let first: number | undefined
    await trainInto(cut, configOf(variant), {
      onStep: step => {
        first ??= step
      },
    })
    expect(first).toBeGreaterThanOrEqual(Math.floor(at / checkpointEvery) * checkpointEvery)
    expect(await hashPath(cut)).toBe(await hashPath(whole))
  },
)

test.runIf(process.env.PIPELINE_LONG).each(Object.keys(variants))(
  '%s with rounded products, killed and started again, ends in the same bytes',
  {
    timeout: 240_000,
  },
  async variant => {
    const [whole, cut] = [join(folder, variant, 'whole-bf16'), join(folder, variant, 'cut-bf16')]
    // A process has one precision, so that all of it is done in others.
    await Promise.all([
      start(variant, whole, 0, 'bf16').ended,
      killedAfter(checkpointEvery + 1, 0, variant, cut, pause, 'bf16'),
    ])
    expect(await start(variant, cut, 0, 'bf16').ended).toBe(0)
    expect(await hashPath(cut)).toBe(await hashPath(whole))
  },
)
