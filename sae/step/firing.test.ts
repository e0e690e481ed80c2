import { expect, test } from 'vitest'
import { Firing } from './firing.ts'

test('a latent is dead once it has not fired for so many rows, and alive again as soon as it fires', () => {
  const firing = new Firing(3, 20)
  firing.add([5, 0, 0], 10, false)
  expect([firing.dead, ...firing.silent]).toEqual([0, 0, 10, 10])
  firing.add([0, 1, 0], 10, false)
  expect([firing.dead, ...firing.silent]).toEqual([1, 10, 0, 20])
  expect([...firing.deadLatents()]).toEqual([2])
  expect([...firing.deadMask()]).toEqual([0, 0, 1])
  firing.add([1, 0, 1], 10, false)
  expect([firing.dead, ...firing.silent]).toEqual([0, 0, 10, 0])
})

test('`fired` holds the batches that were counted, `recent` all since it was forgotten', () => {
  const firing = new Firing(2, 20)
  firing.add([1, 2], 4, false)
  firing.add([3, 0], 4, true)
  expect([...firing.fired]).toEqual([3, 0])
  expect(firing.recent).toEqual({ counts: Int32Array.of(4, 2), rows: 8 })
  firing.forget()
  expect(firing.recent).toEqual({ counts: Int32Array.of(0, 0), rows: 0 })
  expect([...firing.fired]).toEqual([3, 0])
})

test('rows of silence saturate instead of turning negative', () => {
  const firing = new Firing(1, 20)
  firing.silent[0] = 2 ** 31 - 5
  firing.add([0], 10, false)
  expect(firing.silent[0]).toBe(2 ** 31 - 1)
})
