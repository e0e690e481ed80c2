import { describe, expect, test } from 'vitest'
import { clip, visible, visibleJson, visibleLines } from './visible.ts'

describe('text that is shown', () => {
  test.each([
    ['a mark that turns the line', '\u202eRTL', '\\u202eRTL'],
    ['an isolate', '\u2066x\u2069', '\\u2066x\\u2069'],
    ['NUL', 'a\0b', 'a\\u0000b'],
    ['a bell and an escape', '\u0007\u001b[31m', '\\u0007\\u001b[31m'],
    ['a C1 control', '\u009b31m', '\\u009b31m'],
    ['breaks and tabs', 'a\r\n\tb\u2028c', 'a\\r\\n\\tb\\u2028c'],
    ['zero-width characters', '\u200bx\ufeff\u00ad', '\\u200bx\\ufeff\\u00ad'],
    ['a tag character', '\u{e0041}', '\\u{e0041}'],
    ['half a surrogate pair', 'x\ud83d', 'x\\ud83d'],
  ])('writes %s out', (_, text, shown) => expect(visible(text)).toBe(shown))

  test.each(['日本', 'مرحبا', '👩‍👩‍👧', 'می‌خواهم', 'é', ' a  b '])('leaves %s as it is', text =>
    expect(visible(text)).toBe(text),
  )

  test('keeps lines where lines are wanted', () => expect(visibleLines('a\n\tb\u001b')).toBe('a\n\tb\\u001b'))

  test('says how long it was where it is cut, and cuts no character in two', () => {
    expect(clip('W'.repeat(1_000_000), 4)).toBe('WWWW… (1,000,000 characters)')
    expect(clip('abc', 3)).toBe('abc')
    expect(clip('ab😀d', 3)).toBe('ab… (5 characters)')
  })

  test('is JSON that means the same', () => {
    const value = { a: '\u202e\u009b\0\u{e0041}日', b: ['\n'] }
    const text = visibleJson(value, 2)
    expect(JSON.parse(text)).toEqual(value)
    expect(text).toContain('"\\u202e\\u009b\\u0000\\udb40\\udc41日"')
    expect(text.split('\n')).toHaveLength(6)
  })
})
