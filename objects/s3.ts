/**
 * Objects in an S3 bucket, through the optional package s3mini. `If-None-Match: *` makes an object only where there is none;
 * of two writers at once S3 answers one with 412. Places that know no such condition keep the last writer's bytes.
 */
import { open, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, FaultError, messageOf, NotThereError, UserError } from '../core/errors.ts'
import { load } from '../core/optional.ts'
import { checkName, type ObjectStore } from './object-store.ts'

/** Times that a request is made before a fault is told. */
const tries = 5

export interface S3Options {
  /** Objects above this size are sent in pieces of it, each of which is tried again by itself; default 32 MiB. */
  readonly pieceBytes?: number
  /** Milliseconds before a request is repeated for the first time, which then double; default 200. */
  readonly pause?: number
}

/** Where the bucket is and who asks. */
export interface S3Place {
  readonly bucket: string
  /** What every name begins with; '' for none. */
  readonly prefix: string
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** The place that `s3://bucket/prefix` and the environment name; a `UserError` where a key is missing or cannot be used. */
export function s3Place(url: string, environment: Readonly<Record<string, string | undefined>> = process.env): S3Place {
  const found = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*?))?\/?$/.exec(url)
  if (!found) throw new UserError(`${url} names no S3 bucket.`, { fix: 'Write it as s3://bucket/prefix.' })
  const prefix = found[2] ?? ''
  if (prefix !== '') checkName(prefix)
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = environment
  if (!accessKeyId || !secretAccessKey)
    throw new UserError(`${url} needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment.`, {
      fix: 'Set both; no file or flag takes them.',
    })
  if (environment.AWS_SESSION_TOKEN)
    throw new UserError('AWS_SESSION_TOKEN is set, but only lasting keys are taken.', {
      fix: 'Use the key of a user that may read and write this bucket alone, and unset AWS_SESSION_TOKEN.',
    })
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || 'us-east-1'
  const endpoint =
    environment.AWS_ENDPOINT_URL_S3 || environment.AWS_ENDPOINT_URL || `https://s3.${region}.amazonaws.com`
  return { bucket: found[1]!, prefix, endpoint: endpoint.replace(/\/$/, ''), region, accessKeyId, secretAccessKey }
}

/** The store in a bucket. */
export async function s3Store(
  place: S3Place,
  { pieceBytes = 32 << 20, pause = 200 }: S3Options = {},
): Promise<ObjectStore> {
  const { S3mini } = await load('s3mini', 'A store in S3', () => import('s3mini'))
  const { bucket, prefix, endpoint, ...account } = place
  const client = new S3mini({ ...account, endpoint: `${endpoint}/${bucket}` })
  const told = `s3://${bucket}${prefix && `/${prefix}`}`
  const keyOf = (name: string) => {
    checkName(name)
    return prefix === '' ? name : `${prefix}/${name}`
  }
  /** Makes a request again where that may help; what is left is thrown as what it is to a person. */
  const ask = async <T>(what: string, request: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++)
      try {
        return await request()
      } catch (error) {
        const status = statusOf(error)
        const passing = status === undefined ? isNetwork(error) : status >= 500 || [408, 409, 429].includes(status)
        if (passing && attempt < tries) {
          await sleep(pause * 2 ** (attempt - 1))
          continue
        }
        throw passing || status !== undefined ? s3Error(`${what} of ${told}`, status, error, passing) : error
      }
  }
  const noBucket = () =>
    new UserError(`There is no bucket ${bucket} at ${endpoint}.`, { fix: 'Make it, or name another.' })
  /** The same where the object need not be there: what is not there is the bucket. */
  const askBucket = <T>(what: string, request: () => Promise<T>): Promise<T> =>
    ask(what, request).catch(error => {
      throw error instanceof NotThereError ? noBucket() : error
    })
  const putBytes = (name: string, bytes: Uint8Array) =>
    askBucket(`Writing ${name}`, async () => {
      const headers = { 'If-None-Match': '*' } as Record<string, string>
      try {
        await client.putObject(keyOf(name), bytes, 'application/octet-stream', undefined, headers, bytes.length)
        return true
      } catch (error) {
        if (statusOf(error) === 412) return false
        throw error
      }
    })
  const head = (name: string) =>
    ask(`Asking for ${name}`, async () => {
      if (!(await client.objectExists(keyOf(name)))) return undefined
      return { bytes: await client.getContentLength(keyOf(name)) }
    })
  const putPieces = async (name: string, path: string, bytes: number) => {
    const key = keyOf(name)
    const upload = await askBucket(`Beginning ${name}`, () =>
      client.getMultipartUploadId(key, 'application/octet-stream'),
    )
    const file = await open(path, 'r')
    try {
      const parts: { partNumber: number; etag: string }[] = []
      for (let start = 0; start < bytes; start += pieceBytes) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(pieceBytes, bytes - start)), {
          position: start,
        })
        if (bytesRead < buffer.length) throw new UserError(`${path} became shorter while it was sent.`)
        parts.push(await ask(`Writing ${name}`, () => client.uploadPart(key, upload, buffer, parts.length + 1)))
      }
      await ask(`Ending ${name}`, () => client.completeMultipartUpload(key, upload, parts))
    } catch (error) {
      // What was sent stays until the bucket's own rule removes it, where even this fails.
      await client.abortMultipartUpload(key, upload).catch(() => {})
      throw error
    } finally {
      await file.close()
    }
  }
  return {
    place: told,
    head,
    async read(name, range) {
      if (range && range.end <= range.start) return new Uint8Array()
      const response = await ask(`Reading ${name}`, async () => {
        const key = keyOf(name)
        const found = range
          ? await client.getObjectRaw(key, false, range.start, range.end)
          : await client.getObjectResponse(key)
        return (
          found && { bytes: new Uint8Array(await found.arrayBuffer()), length: found.headers.get('content-length') }
        )
      }).catch(error => {
        if (error instanceof NotThereError) return null
        throw error
      })
      if (!response) throw new NotThereError(`There is no object ${name} in ${told}.`)
      if (response.length !== null && Number(response.length) !== response.bytes.length)
        throw new FaultError(
          `${name} of ${told} came with ${response.bytes.length} bytes instead of ${response.length}.`,
        )
      return response.bytes
    },
    async list(from) {
      const begin = prefix === '' ? from : `${prefix}/${from}`
      const found = await ask('Listing', () => client.listObjects('/', begin))
      if (!found) throw noBucket()
      return found.map(({ Key }) => (prefix === '' ? Key : Key.slice(prefix.length + 1))).sort()
    },
    async putIfAbsent(name, data) {
      if (data instanceof Uint8Array) return putBytes(name, data)
      const { size } = await stat(data.file)
      if (await head(name)) return false
      if (size > pieceBytes) {
        await putPieces(name, data.file, size)
        const sent = await head(name)
        if (sent?.bytes !== size)
          throw new FaultError(`${name} of ${told} has ${sent?.bytes ?? 0} bytes where ${size} were sent.`)
        return true
      }
      const file = await open(data.file, 'r')
      return putBytes(name, await file.readFile().finally(() => file.close()))
    },
    async remove(name) {
      await askBucket(`Removing ${name}`, () => client.deleteObject(keyOf(name)))
    },
  }
}

function statusOf(error: unknown): number | undefined {
  const status = (error as { status?: unknown } | null)?.status
  return typeof status === 'number' && status > 0 ? status : undefined
}

function isNetwork(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  return (
    /Network|fetch|abort|timeout/i.test(`${(error as Error)?.name} ${messageOf(error)}`) || codeOf(cause) !== undefined
  )
}

function s3Error(what: string, status: number | undefined, cause: unknown, passing: boolean): UserError {
  if (status === 404) return new NotThereError(`${what} failed: it is not there.`, { cause })
  if (passing)
    return new FaultError(
      `${what} failed ${tries} times: ${status === undefined ? messageOf(cause) : `HTTP ${status}`}.`,
      {
        fix: 'Start the same command again when the place answers.',
        cause,
      },
    )
  return new UserError(`${what} was refused (HTTP ${status}).`, {
    fix: 'Check the bucket, AWS_ENDPOINT_URL, AWS_REGION and the keys, and what they may do; a clock that is a quarter of an hour off is refused, too.',
    cause,
  })
}
