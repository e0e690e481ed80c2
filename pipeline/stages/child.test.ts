import { expect, test } from 'vitest'
import { endOf, runChild } from './child.ts'

test('a stage that was stopped before it could catch that is interrupted', async () => {
  expect(await runChild('doctor', {}, AbortSignal.abort())).toEqual({ exitCode: 4, result: undefined })
})

test.each([
  [1, 'ended with code 1'],
  [4, 'was stopped before it began; start the same command again'],
  [130, 'was ended by SIGINT; what it had done is kept: start the same command again'],
  [
    137,
    'was ended by SIGKILL, which happens where memory runs out; what it had done is kept: start the same command again',
  ],
  [139, 'was ended by SIGSEGV; what it had done is kept: start the same command again'],
])('a process that said nothing and left code %i %s', (code, told) => expect(endOf(code)).toBe(told))
