import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MetricsFile } from './metrics.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-metrics-'))
  path = join(folder, 'metrics.jsonl')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const read = () => readFileSync(path, 'utf8')

test('a record is in the file as soon as it is appended', () => {
  const metrics = new MetricsFile(path)
  metrics.append({ step: 1, loss: 0.5 })
  expect(read()).toBe('{"step":1,"loss":0.5}\n')
  metrics.close()
})

test('a last line that a crash cut off is dropped', () => {
  appendFileSync(path, '{"step":1}\n{"step":2}\n{"st')
  const metrics = new MetricsFile(path)
  expect(metrics.lines).toBe(2)
  metrics.append({ step: 3 })
  expect(read()).toBe('{"step":1}\n{"step":2}\n{"step":3}\n')
  metrics.close()
})

test('a checkpoint may not count more lines than there are', () => {
  const metrics = new MetricsFile(path)
  expect(() => metrics.truncate(1)).toThrow('has 0 lines, but the checkpoint counts 1')
  metrics.close()
})

test('going back and on again, across reopening, gives what an uninterrupted stream gives', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { maxLength: 20 }), fc.nat(20), fc.nat(20), (texts, a, b) => {
      rmSync(path, { force: true })
      const reached = Math.min(Math.max(a, b), texts.length)
      const checkpoint = Math.min(a, b, texts.length)
      const first = new MetricsFile(path)
      for (const text of texts.slice(0, reached)) first.append({ text })
      first.close()
      const second = new MetricsFile(path)
      second.truncate(checkpoint)
      for (const text of texts.slice(checkpoint)) second.append({ text })
      expect(second.lines).toBe(texts.length)
      second.close()
      expect(read()).toBe(texts.map(text => `${JSON.stringify({ text })}\n`).join(''))
    }),
    { numRuns: 30, seed: 1 },
  )
})
