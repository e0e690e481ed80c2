/** What servers say when they let nobody in, as sentences: only what waiting can mend is a fault worth retrying. */
import { expect, test } from 'vitest'
import { FaultError, UserError } from '../../core/errors.ts'
import { placeOf, refusalOf } from './refusals.ts'

const place = 'postgres://db/queue'
/** An error as PostgreSQL's client or the queue's library throws it. */
const said = (message: string, more: object = {}) => Object.assign(new Error(message), more)

test.each([
  ['a wrong password', said('password authentication failed for user "me"', { code: '28P01' }), 'lets nobody in'],
  ['no password', said('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'), 'lets nobody in'],
  ['no user', said('no PostgreSQL user name specified in startup packet', { code: '28000' }), 'lets nobody in'],
  ['a Redis that wants a password', said('NOAUTH Authentication required.'), 'lets nobody in'],
  ['no such database', said('database "queue" does not exist', { code: '3D000' }), 'has no such database'],
  ['no such number of a Redis', said('ERR DB index is out of range'), 'has no such database'],
  ['no right there', said('permission denied for database queue', { code: '42501' }), 'does not let this user work'],
  ['tables of a later version', said('Upgrade.', { name: 'SchemaVersionMismatchError' }), 'of another version'],
  ['an old server', said('Upgrade.', { name: 'UnsupportedPostgresVersionError' }), 'is too old'],
  ['no TLS', said('The server does not support SSL connections'), 'has no TLS'],
])('%s is for a person to mend', (_, error, problem) => {
  const refused = refusalOf(place, error)
  expect(refused.message).toContain(problem)
  expect(refused.message).toContain(error.message.replace(/\.$/, ''))
  expect(refused.fix).not.toBe('')
  expect(refused).not.toBeInstanceOf(FaultError)
})

test.each([
  ['nobody there', said('', { code: 'ECONNREFUSED' })],
  ['a server that starts', said('the database system is starting up', { code: '57P03' })],
  ['a server that is full', said('sorry, too many clients already', { code: '53300' })],
])('%s is a fault that may pass', (_, error) => {
  expect(refusalOf(place, error)).toBeInstanceOf(FaultError)
})

test('an address that cannot be read is refused without quoting it, and what a password needs is said', () => {
  const wrong = 'postgres://me:top/secret@x@db/queue'
  expect(() => placeOf(wrong)).toThrow(UserError)
  expect(() => placeOf(wrong)).toThrow(/cannot be read as scheme/)
  expect(() => placeOf(wrong)).not.toThrow(/secret/)
  expect(placeOf('postgres://me:top%2Fsecret@db:5/queue?sslmode=verify-full')).toBe('postgres://db:5/queue')
})
