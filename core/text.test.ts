import { expect, test } from 'vitest'
import { fitted } from './text.ts'

test.each([
  ['what fits stays', 'run   stage\n\n  a  b', 'run   stage\n\n  a  b'],
  ['a value goes on below its beginning', 'what  a b c d e f g h i j k', 'what  a b c d e f g\n      h i j k'],
  ['a sentence is set in by two', 'There is no run of that name.', 'There is no run of\n  that name.'],
  ['so is one that is set in', '  fix: Do something else now.', '  fix: Do something\n    else now.'],
  ['a wide first column leaves its value below', 'a.long.key.there  value', 'a.long.key.there\n  value'],
  [
    'a long word stays whole',
    'at  /a/path/that/is/longer/than/that on disk',
    'at  /a/path/that/is/longer/than/that\n    on disk',
  ],
])('%s', (_, text, expected) => {
  expect(fitted(text, 20)).toBe(expected)
  expect(fitted(text, 20).replace(/\s+/g, ' ')).toBe(text.replace(/\s+/g, ' '))
})
