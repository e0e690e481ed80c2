import { describe, expect, test } from 'vitest'
import { parsePythonJson } from './python-json.ts'

describe('JSON that Python wrote', () => {
  test.each([
    ['{"a": NaN, "b": [Infinity, -Infinity]}', { a: null, b: [null, null] }],
    ['\ufeff{"a": 1}', { a: 1 }],
    ['\ufeff{"a": NaN}', { a: null }],
    ['NaN', null],
    [String.raw`{"NaN": "Infinity", "q\"": "\\", "x": -Infinity}`, { NaN: 'Infinity', 'q"': '\\', x: null }],
  ])('%s', (text, value) => expect(parsePythonJson(text)).toEqual(value))
  test.each(['', '{"a": NaNa}', '{"a": - Infinity}', '{a: NaN}', '"NaN'])('%s is none', text =>
    expect(() => parsePythonJson(text)).toThrow(SyntaxError),
  )
  test('a text of 16 MiB that is none is refused soon', () => {
    const start = performance.now()
    expect(() => parsePythonJson('"\\"'.repeat(2 ** 22))).toThrow(SyntaxError)
    expect(() => parsePythonJson(`[${'NaN'.repeat(2 ** 20)}`)).toThrow(SyntaxError)
    expect(performance.now() - start).toBeLessThan(5000)
  })
})
