import { expect, test } from 'vitest'
import { codeOf, FaultError, InterruptedError, messageOf, SpoiltError, UserError } from './errors.ts'

test.each([
  [UserError, 1, 'UserError'],
  [SpoiltError, 1, 'SpoiltError'],
  [FaultError, 75, 'FaultError'],
  [InterruptedError, 4, 'InterruptedError'],
])('each kind has its exit code and its name: %o', (Kind, exitCode, name) => {
  const error = new Kind('No.', { fix: 'Yes.', cause: 'why' })
  expect(error).toBeInstanceOf(UserError)
  expect(error).toMatchObject({ exitCode, name, message: 'No.', fix: 'Yes.', cause: 'why' })
})

test('an error without a cause has none', () => {
  expect('cause' in new UserError('No.')).toBe(false)
  expect(new UserError('No.').fix).toBeUndefined()
})

test('any thrown value says something', () => {
  expect(messageOf(new Error('No.'))).toBe('No.')
  expect(messageOf('No.')).toBe('No.')
  expect(messageOf(undefined)).toBe('undefined')
})

test('the system’s code is found where there is one', () => {
  expect(codeOf(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe('ENOENT')
  expect(codeOf(Object.assign(new Error('x'), { code: 7 }))).toBeUndefined()
  expect(codeOf({ code: 'ENOENT' })).toBeUndefined()
  expect(codeOf(null)).toBeUndefined()
})
