import { expect, test } from 'vitest'
import { collectGarbage } from './memory.ts'

test('arrays that nothing refers to are freed', () => {
  const bytes = 1 << 26
  for (let i = 0; i < 4; i++) new Float32Array(bytes / 4).fill(i)
  const kept = new Float32Array(bytes / 4).fill(1)
  collectGarbage()
  const left = process.memoryUsage().arrayBuffers
  expect(left).toBeLessThan(2.5 * bytes)
  expect(kept[7]).toBe(1)
})
