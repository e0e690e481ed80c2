import { expect, test } from 'vitest'
import { runChild } from './child.ts'

test('a stage that was stopped before it could catch that is interrupted', async () => {
  expect(await runChild('doctor', {}, AbortSignal.abort())).toEqual({ exitCode: 4, result: undefined })
})
