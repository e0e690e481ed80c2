import { expect, test } from 'vitest'
import { silent } from './progress.ts'
import { breathe, memoryMetrics } from './stage.ts'

test('the silent progress takes everything and says nothing', () => {
  for (const said of [silent.start('a', 1, 'rows'), silent.update(1, 'x'), silent.finish('b'), silent.note('c')])
    expect(said).toBeUndefined()
})

test('metrics in memory count, hold and drop lines', () => {
  const metrics = memoryMetrics()
  for (const step of [1, 2, 3]) metrics.append({ step })
  expect(metrics.lines).toBe(3)
  metrics.truncate(5)
  expect(metrics.lines).toBe(3)
  metrics.truncate(1)
  expect(metrics.records).toEqual([{ step: 1 }])
})

test('breathing lets timers in between two pieces of work', async () => {
  const events: string[] = []
  const timer = new Promise<void>(done =>
    setTimeout(() => {
      events.push('timer')
      done()
    }, 0),
  )
  const until = performance.now() + 20
  while (performance.now() < until); // a piece of work that holds the event loop
  for (let i = 0; i < 3; i++) await breathe()
  events.push('work')
  await timer
  expect(events).toEqual(['timer', 'work'])
})
