/** Every kind of store keeps the contract, and S3's faults are told as what they are. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FaultError, UserError } from '../core/errors.ts'
import { folderStore } from './fs.ts'
import { memoryStore } from './memory.ts'
import type { ObjectStore } from './object-store.ts'
import { openObjectStore } from './open.ts'
import { probeStore } from './probe.ts'
import { s3Place, s3Store } from './s3.ts'
import { type S3Server, startS3Server } from './s3-server.fixture.ts'
import { describeObjectStore } from './store.contract.ts'

let folder: string
let server: S3Server
const keys = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }
const bucket = (prefix: string) =>
  s3Store(s3Place(`s3://bucket/${prefix}`, { ...keys, AWS_ENDPOINT_URL: server.endpoint }), {
    pieceBytes: 1000,
    pause: 1,
  })
const bytes = (text: string) => new TextEncoder().encode(text)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-stores-'))
  server = await startS3Server()
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await server.close()
})

describeObjectStore('memory', async () => memoryStore())
describeObjectStore('a folder', async () => folderStore(join(folder, 'store')))
describeObjectStore('an S3 bucket', () => bucket('some/prefix'))

test('a half-written file of a folder is no object', async () => {
  const store = folderStore(join(folder, 'half'))
  await store.putIfAbsent('a/one', bytes('1'))
  writeFileSync(join(folder, 'half/a/two.0.partial'), '')
  expect(await store.list('')).toEqual(['a/one'])
})

describe('S3', () => {
  let store: ObjectStore
  beforeEach(async () => {
    server.objects.clear()
    server.conditional = true
    store = await bucket('faults')
  })

  test('a server that is busy for a moment is asked again', async () => {
    server.faults.push(503, 503)
    expect(await store.putIfAbsent('a/one', bytes('1'))).toBe(true)
  })

  test('an answer that was cut is read again', async () => {
    await store.putIfAbsent('a/one', bytes('twelve bytes'))
    server.faults.push('cut')
    expect(Buffer.from(await store.read('a/one')).toString()).toBe('twelve bytes')
  })

  test('one that stays busy is a fault worth retrying later', async () => {
    server.faults.push(503, 503, 503, 503, 503)
    await expect(store.read('a/one')).rejects.toThrow(FaultError)
  })

  test("a refusal is the user's to mend, and is not repeated", async () => {
    server.faults.push(403)
    const before = server.requests.length
    const refused = store.putIfAbsent('a/one', bytes('1'))
    await expect(refused).rejects.toThrow('Writing a/one of s3://bucket/faults was refused (HTTP 403).')
    await expect(refused).rejects.not.toThrow(FaultError)
    expect(server.requests.length).toBe(before + 1)
  })

  test('a bucket that is not there is named, whatever is asked of it', async () => {
    const none = await s3Store(s3Place('s3://none/faults', { ...keys, AWS_ENDPOINT_URL: server.endpoint }))
    const path = join(folder, 'some')
    writeFileSync(path, 'some bytes')
    const asked = [
      () => none.putIfAbsent('a/one', bytes('1')),
      () => none.putIfAbsent('a/one', { file: path }),
      () => none.remove('a/one'),
      () => none.list('a/'),
      () => probeStore(none),
    ]
    for (const ask of asked) await expect(ask()).rejects.toThrow(`There is no bucket none at ${server.endpoint}.`)
  })

  test('a large file is sent in pieces', async () => {
    const path = join(folder, 'large')
    writeFileSync(path, 'begin')
    truncateSync(path, 2005)
    expect(await store.putIfAbsent('a/large', { file: path })).toBe(true)
    expect(await store.head('a/large')).toEqual({ bytes: 2005 })
    expect(Buffer.from(await store.read('a/large', { start: 0, end: 5 })).toString()).toBe('begin')
  })

  test('the probe tells a place that knows no conditions', async () => {
    server.conditional = false
    expect(await probeStore(store)).toMatchObject({ exclusive: false, listed: true, ranges: true })
  })

  test.each([
    ['s3://', { ...keys }, 'names no S3 bucket'],
    ['s3://bucket/a', {}, 'needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'],
    ['s3://bucket/a', { ...keys, AWS_SESSION_TOKEN: 't' }, 'only lasting keys are taken'],
  ])('%s with %j is refused', (url, environment, message) => {
    expect(() => s3Place(url, environment)).toThrow(message)
  })
})

test('a place of an unknown kind is refused', async () => {
  await expect(openObjectStore('ftp://host/x')).rejects.toThrow(UserError)
})
