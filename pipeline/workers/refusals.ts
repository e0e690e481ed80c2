/** What keeps a queue from being opened, as an error that says who is to mend it: most are not mended by waiting. */
import { codeOf, FaultError, messageOf, UserError } from '../../core/errors.ts'

/** The address of a queue without user and password. A `UserError`, which does not quote it, where it cannot be read. */
export function placeOf(url: string): string {
  if (!URL.canParse(url))
    throw new UserError('The address of the queue cannot be read as scheme://user:password@host:port/name.', {
      fix: 'Write each of the signs : / ? # [ ] @ % of a user or password as % and its hexadecimal number: / is %2F, and @ is %40.',
    })
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

interface Refusal {
  /** What the server or its library says; PostgreSQL's own codes are in its manual, appendix A. */
  readonly says: RegExp
  readonly problem: (place: string) => string
  readonly fix: string
}

const refusals: readonly Refusal[] = [
  {
    says: /WRONGPASS|NOAUTH|AUTH <password>|\b28(000|P01)\b|no PostgreSQL user name|client password must be a string/,
    problem: place => `The queue at ${place} lets nobody in by this user and password`,
    fix: 'Write both into the address in PIPELINE_QUEUE, after the scheme: redis://user:password@host or postgres://user:password@host/database.',
  },
  {
    says: /\b3D000\b/,
    problem: place => `The server of the queue at ${place} has no such database`,
    fix: 'Make it with `createdb`, or name another one at the end of the address: postgres://user@host/database.',
  },
  {
    says: /DB index is out of range|invalid DB index/,
    problem: place => `The server of the queue at ${place} has no such database`,
    fix: 'Give a smaller number at the end of the address, or none: redis://host:port/0.',
  },
  {
    says: /\b42501\b/,
    problem: place => `The queue at ${place} does not let this user work there`,
    fix: 'Let it connect to the database and create there (`grant connect, create on database NAME to USER`); the schema bullmq, once it is made, has to be its own.',
  },
  {
    says: /SchemaVersionMismatchError/,
    problem: place => `The tables of the queue at ${place} are of another version`,
    fix: 'Give this program a database of its own: whoever else keeps jobs in the schema bullmq there has a later version of bullmq.',
  },
  {
    says: /UnsupportedPostgresVersionError/,
    problem: place => `The server of the queue at ${place} is too old`,
    fix: 'Use PostgreSQL from 13 on.',
  },
  {
    says: /does not support SSL/,
    problem: place => `The server of the queue at ${place} has no TLS, which the address asks for`,
    fix: 'Leave sslmode out of the address, or give the server a certificate.',
  },
]

/** The error of a queue that could not be opened: a `FaultError` where its server may answer later, else a `UserError`. */
export function refusalOf(place: string, error: unknown): UserError {
  const why = (messageOf(error) || codeOf(error) || 'the connection was closed').replace(/\.$/, '')
  const said = [why, codeOf(error), error instanceof Error ? error.name : ''].join(' ')
  const found = refusals.find(({ says }) => says.test(said))
  if (found) return new UserError(`${found.problem(place)}: ${why}.`, { fix: found.fix, cause: error })
  return new FaultError(`The queue at ${place} does not answer: ${why}.`, {
    fix: 'Start its server, or check the address, and start the same command again.',
    cause: error,
  })
}
