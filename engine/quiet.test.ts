import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { isInstalled, quietPath, tensorflowRoot } from './install/places.ts'
import { withoutGreetings } from './quiet.ts'

const greetings = `WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795370027.386203   17136 port.cc:153] oneDNN custom operations are on.
2024-01-01 10:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary is optimized.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.
`

describe('what a library writes while it loads', () => {
  test('loses the greetings and keeps the rest', () => {
    const error = 'E0000 00:00:1795370027.386203   17136 cuda_dnn.cc:100] Could not load a library\n'
    const plain = 'node: symbol lookup error: undefined symbol\nwithout a line end'
    expect(withoutGreetings(greetings, false)).toBe('')
    expect(withoutGreetings(greetings + error + plain, false)).toBe(error + plain)
  })

  test('keeps a failing GPU where one was asked for', () => {
    const line = 'E0000 00:00:1.2   1 cuda_platform.cc:52] failed call to cuInit: INTERNAL\n'
    expect(withoutGreetings(line, true)).toBe(line)
    expect(withoutGreetings(line, false)).toBe('')
  })
})

const addon = quietPath(tensorflowRoot('cpu'))

describe.skipIf(!isInstalled(tensorflowRoot('cpu')))('the addon that holds it back', () => {
  const run = (script: string) =>
    spawnSync(
      process.execPath,
      ['-e', `const q = require(process.argv[1]); const fs = require('fs'); ${script}`, addon],
      {
        encoding: 'utf8',
      },
    )

  test('gives it to JavaScript and lets later writes through', () => {
    const { stdout, stderr } = run(
      `q.begin(); fs.writeSync(2, 'held'); const text = q.end(); fs.writeSync(2, 'let'); console.log(text)`,
    )
    expect([stdout, stderr]).toEqual(['held\n', 'let'])
  })

  test('can be used again, and begins only once at a time', () => {
    const { stdout, stderr } = run(
      `q.begin(); q.begin(); fs.writeSync(2, 'a'); const a = q.end(); q.begin(); fs.writeSync(2, 'b'); console.log(a, q.end(), q.end())`,
    )
    expect([stdout, stderr]).toEqual(['a b \n', ''])
  })

  test.each([
    ['a crash', `process.kill(process.pid, 'SIGSEGV'); setTimeout(() => {}, 5000)`, 'SIGSEGV'],
    ['an abort', 'process.abort()', 'SIGABRT'],
  ])('hides nothing of %s', (_, end, signal) => {
    const result = run(`q.begin(); fs.writeSync(2, 'last words'); ${end}`)
    expect(result.signal).toBe(signal)
    expect(result.stderr).toContain('last words')
  })

  test('hides nothing of an exit', () => {
    const result = run(`q.begin(); fs.writeSync(2, 'last words'); process.exit(3)`)
    expect([result.status, result.stderr]).toEqual([3, 'last words'])
  })
})
