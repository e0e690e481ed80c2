/** One file of a hub into the cache: from the byte on where an earlier try ended, and only if it is what the hub says. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { codeOf, FaultError, UserError } from '../errors.ts'
import { writeError } from '../files.ts'
import { type HubClient, interrupted, unreachable } from './client.ts'
import type { RepositoryFile } from './repository.ts'

/** What downloads of a file share. */
export interface DownloadOptions {
  readonly client: HubClient
  /** Address of the file at a commit, so that it is the same file every time. */
  readonly address: string
  /** Where it goes; what is not whole yet stands beside it as `.incomplete`. */
  readonly place: string
  readonly file: RepositoryFile
  /** Told how many bytes of the file are there. */
  readonly onBytes: (bytes: number) => void
}

/** Tries after which bytes that are not what the hub says are no accident. */
const wrongTries = 2

/** Downloads a file whole and checked. */
export async function download(options: DownloadOptions): Promise<void> {
  const { client, place, file } = options
  const incomplete = `${place}.incomplete`
  let wrong = 0
  for (let again = 0; ; ) {
    const before = await sizeOf(incomplete)
    const fault = before < file.size || before === 0 ? await fetchRest(options, incomplete, before) : undefined
    const size = await sizeOf(incomplete)
    if (size > before) again = 0
    if (size === file.size && !fault) {
      if ((await hashOf(incomplete, file)) === file.hash.hex) break
      wrong++
    } else if (size > file.size) wrong++
    else {
      await client.rest(
        again++,
        fault ?? new FaultError(`The hub ${client.url} ended ${file.path} after ${size} of ${file.size} bytes.`),
      )
      continue
    }
    await rm(incomplete, { force: true })
    if (wrong >= wrongTries)
      throw new UserError(
        `${file.path} as ${client.url} sends it is not what its ${file.hash.kind} hash ${file.hash.hex.slice(0, 12)}… says.`,
        {
          fix: 'Nothing of it was kept. Check whether something on the way changes files, or pull another revision.',
        },
      )
  }
  try {
    await rename(incomplete, place)
  } catch (error) {
    throw writeError(place, error)
  }
}

/** Appends what is missing. A fault that may pass is given back; what was written stays. */
async function fetchRest(
  { client, address, file: { size }, onBytes }: DownloadOptions,
  incomplete: string,
  before: number,
): Promise<FaultError | undefined> {
  const answer = await client.get(address, before > 0 ? { range: `bytes=${before}-` } : {})
  const goesOn = answer.status === 206 && answer.headers.get('content-range')?.startsWith(`bytes ${before}-`)
  // Whoever does not go on from there sends all of it, or has nothing there.
  const from = goesOn ? before : 0
  if (answer.status === 416) {
    await rm(incomplete, { force: true })
    return new FaultError(`The hub ${client.url} has nothing from byte ${before} on.`)
  }
  const file = await open(incomplete, from === 0 ? 'w' : 'a').catch(error => {
    throw writeError(incomplete, error)
  })
  let written = from
  try {
    const reader = answer.body?.getReader()
    for (;;) {
      const next = await within(reader?.read(), client)
      if (!next || next.done) break
      try {
        await file.writeFile(next.value)
      } catch (error) {
        throw writeError(incomplete, error)
      }
      written += next.value.length
      onBytes(written)
      // More than the file has need not be waited for: it might have no end.
      if (written > size) {
        await reader?.cancel()
        break
      }
    }
    await file.sync().catch(error => {
      throw writeError(incomplete, error)
    })
    return undefined
  } catch (error) {
    if (client.signal.aborted) throw interrupted()
    if (error instanceof UserError) throw error
    return unreachable(client.url, error)
  } finally {
    await file.close()
  }
}

/** The next piece, or an error where none comes for too long or the work is stopped. */
async function within<T>(piece: Promise<T> | undefined, { signal, patience }: HubClient): Promise<T | undefined> {
  if (!piece) return undefined
  let stop = () => {}
  const end = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`nothing came for ${patience / 1000} seconds`)), patience)
    const abort = () => reject(new Error('stopped'))
    signal.addEventListener('abort', abort, { once: true })
    stop = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
    if (signal.aborted) abort()
  })
  try {
    return await Promise.race([piece, end])
  } finally {
    stop()
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    error => {
      if (codeOf(error) === 'ENOENT') return 0
      throw error
    },
  )
}

/** sha256 of the bytes, or git's hash of them: sha1 of `blob SIZE`, a zero byte and the bytes. */
async function hashOf(path: string, { hash: { kind }, size }: RepositoryFile): Promise<string> {
  const hash = createHash(kind === 'git' ? 'sha1' : 'sha256')
  if (kind === 'git') hash.update(`blob ${size}\0`)
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest('hex')
}
