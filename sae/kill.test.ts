/** The same as resume.test.ts with a real SIGKILL: of every variant where PIPELINE_LONG is set, else of a few. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashPath } from '../core/hash.ts'
import { Random } from '../core/random.ts'
import { startEngine } from '../engine/engine.ts'
import { checkpointEvery, configOf, steps, trainInto, variants } from './kill.fixture.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'sae-kill-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** How long the child waits after each step: it is killed in the wait, or while it works on the next step. */
const pause = 40

/** Starts the training in a process of its own and kills it, with no chance to tidy up, some time after a step. */
function killedAfter(step: number, milliseconds: number, variant: string, directory: string): Promise<void> {
  const script = fileURLToPath(new URL('./kill.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory, variant, String(pause)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return new Promise((resolve, reject) => {
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.split('\n').includes(String(step))) setTimeout(() => child.kill('SIGKILL'), milliseconds)
    })
    child.on('exit', (_, signal) =>
      signal === 'SIGKILL' ? resolve() : reject(new Error(`it ended by itself: ${said}`)),
    )
  })
}

const killed = process.env.PIPELINE_LONG ? Object.keys(variants) : ['matryoshka', 'jumprelu', 'cross-layer']

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
