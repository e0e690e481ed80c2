import { expect, test } from 'vitest'
import { FaultError, InterruptedError } from '../../core/errors.ts'
import { silent } from '../../core/progress.ts'
import { memoryQueue } from './memory-queue.fixture.ts'
import { patient } from './patient.ts'

/** A queue in memory whose answers of `live` are those of `live`, asked patiently; and what was noted. */
function asking(live: () => Promise<never[]>, patience = { late: 5, longest: 60_000 }) {
  const notes: string[] = []
  const stop = new AbortController()
  const session = { signal: stop.signal, progress: { ...silent, note: (line: string) => void notes.push(line) } }
  const queue = Object.assign(memoryQueue(), { live })
  return { queue: patient(queue, 0.001, session, patience), notes, stop }
}

const away = 'The queue at memory does not answer'

test('a server that refuses is asked again, and both its going and its coming are said once', async () => {
  let asked = 0
  const { queue, notes } = asking(async () => {
    if (++asked < 4) throw new Error('ECONNREFUSED')
    return []
  })
  expect(await queue.live()).toEqual([])
  expect(await queue.live()).toEqual([])
  expect(asked).toBe(5)
  expect(notes).toEqual([
    `${away}: ECONNREFUSED. It is waited for, 60 seconds at most.`,
    'The queue at memory answers again.',
  ])
})

test('so is one that says nothing until it is there again', async () => {
  let answer = (_: never[]) => {}
  const { queue, notes } = asking(
    () =>
      new Promise(done => {
        answer = done
      }),
  )
  const waiting = queue.live()
  while (notes.length === 0) await new Promise(done => setTimeout(done, 1))
  answer([])
  expect(await waiting).toEqual([])
  expect(notes).toEqual([`${away}. It is waited for, 60 seconds at most.`, 'The queue at memory answers again.'])
})

test('one that stays away is a fault that passes, with the reason where there is one', async () => {
  const never = asking(() => new Promise(() => {}), { late: 5, longest: 20 })
  await expect(never.queue.live()).rejects.toThrow(FaultError)
  const refusing = asking(
    async () => {
      throw new Error('ECONNREFUSED')
    },
    { late: 5, longest: 20 },
  )
  await expect(refusing.queue.live()).rejects.toThrow(`${away}: ECONNREFUSED.`)
})

test('Ctrl-C ends the waiting at once', async () => {
  const { queue, stop } = asking(() => new Promise(() => {}))
  const waiting = queue.live()
  stop.abort()
  await expect(waiting).rejects.toThrow(InterruptedError)
})
