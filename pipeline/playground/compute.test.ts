import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Compute, SupersededError } from '../../dashboard/server/compute.ts'
import { playgroundCompute } from './compute.ts'

/** A process that answers by its own id, never, or not at all, as the name of the SAE asks. */
const program = `
const cancelled = new Set()
process.on('disconnect', () => process.exit(0))
process.on('message', ({ id, asked, cancel }) => {
  if (cancel !== undefined) return process.send({ id: cancel, problem: { kind: 'user', message: 'stopped' } })
  if (asked.sae === 'crash') process.exit(3)
  if (asked.sae === 'stuck') while (true);
  if (asked.sae === 'wrong') return process.send({ id, problem: { kind: 'not-there', message: 'No such SAE.', fix: 'Look.' } })
  if (asked.sae !== 'slow') process.send({ id, given: [{ latent: process.pid, cosine: asked.latent }] })
})
`
let folder: string
let compute: Compute | undefined
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'compute-'))
  writeFileSync(join(folder, 'process.mjs'), program)
})
afterEach(() => compute?.close())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const made = (patience = 60_000) => {
  const options = { patience, firstPatience: patience, script: join(folder, 'process.mjs') }
  compute = playgroundCompute({ directory: folder, engine: {}, ...options })
  return compute
}
const never = new AbortController().signal
const ask = (own: Compute, sae: string, latent = 0, signal = never) =>
  own.do('neighbours', { sae, latent, count: 1 }, signal)

test('one process does one task after the other', async () => {
  const own = made()
  const [first] = await ask(own, 'a', 1)
  const [second] = await ask(own, 'a', 2)
  expect([first!.cosine, second!.cosine]).toEqual([1, 2])
  expect(second!.latent).toBe(first!.latent)
})

test('of tasks that wait the newest is done, and a task whose asker is gone is stopped', async () => {
  const own = made()
  const gone = new AbortController()
  const running = ask(own, 'slow', 0, gone.signal)
  const older = ask(own, 'a', 1)
  const newer = ask(own, 'a', 2)
  await expect(older).rejects.toThrow(SupersededError)
  gone.abort()
  await expect(running).rejects.toThrow('stopped')
  expect((await newer)[0]!.cosine).toBe(2)
})

test('a task that does not come to an end is ended, and so is one that hears nothing; the next has another process', async () => {
  const own = made(4000)
  const [before] = await ask(own, 'a')
  await expect(ask(own, 'stuck')).rejects.toThrow(/more than 4 seconds/)
  const [after] = await ask(own, 'a')
  expect(after!.latent).not.toBe(before!.latent)
})

test('a process that crashes is an error of this task alone, and refusals keep their sentence', async () => {
  const own = made()
  await expect(ask(own, 'crash')).rejects.toThrow(/ended \(exit code 3\)/)
  await expect(ask(own, 'wrong')).rejects.toMatchObject({
    name: 'NotThereError',
    message: 'No such SAE.',
    fix: 'Look.',
  })
  await own.close()
  await expect(ask(own, 'a')).rejects.toThrow(/stopping/)
})

test('a process that cannot be told anything fails its task, and the next task has another', async () => {
  const own = made()
  // A task that no process can be sent: functions do not travel.
  const unsendable = own.do('neighbours', { sae: 'a', latent: (() => 0) as unknown as number, count: 1 }, never)
  await expect(unsendable).rejects.toThrow(/cannot be asked/)
  expect((await ask(own, 'a', 2))[0]!.cosine).toBe(2)
})
