/** A model or dataset of a hub in the cache, whole and checked; what is there already is not fetched again. */
import pLimit from 'p-limit'
import { messageOf, UserError } from '../errors.ts'
import { takeLock } from '../lock.ts'
import type { Progress } from '../progress.ts'
import { RepositoryCache } from './cache.ts'
import { type HubClient, hubClient } from './client.ts'
import { download } from './download.ts'
import { isCommit, mustBeInside, type Repository, type RepositoryFile } from './repository.ts'

export interface PullOptions {
  readonly repository: Repository
  /** Which of the repository's files are wanted. */
  readonly wants: (path: string, all: readonly string[]) => boolean
  readonly hub: string
  readonly cache: string
  /** Uses what is there, and asks nobody. */
  readonly offline: boolean
  readonly token: string | undefined
  readonly signal: AbortSignal
  readonly progress: Progress
  /** See `ClientOptions`. */
  readonly tries?: number
  readonly pause?: number
  readonly patience?: number
}

/** What was pulled. */
export interface Pulled {
  readonly directory: string
  readonly commit: string
  readonly files: number
  readonly bytes: number
  /** Bytes that were not in the cache before. */
  readonly fetched: number
}

interface Asking {
  readonly client: HubClient
  readonly fetch: typeof globalThis.fetch
}

/** Files that are fetched at the same time. */
const atOnce = 4

/** Pulls a repository into the cache, in the layout that Hugging Face's own programs read. */
export async function pull(options: PullOptions): Promise<Pulled> {
  const { repository, wants, cache, offline, progress } = options
  const places = new RepositoryCache(cache, repository)
  if (offline) return { ...(await places.offline()), files: 0, bytes: 0, fetched: 0 }
  const client = hubClient({ ...options, url: options.hub })
  // The library lists; only this client asks, with its token, its patience and its tries, and of that hub alone.
  const fetch = (address: unknown) => {
    if (!String(address).startsWith(`${client.url}/`))
      throw new UserError(`The hub ${client.url} sends one to another address for its list of files.`)
    return client.get(String(address))
  }
  const asking: Asking = { client, fetch: fetch as typeof globalThis.fetch }
  const commit = await commitOf(asking, repository)
  const listed = await filesOf(asking, repository, commit)
  const all = listed.map(({ path }) => path)
  const files = listed.filter(({ path }) => wants(path, all))
  if (files.length === 0)
    throw new UserError(`The ${repository.kind} ${repository.id} has no file of the kinds that are read here.`, {
      fix: '--files names others.',
    })
  await places.makeBlobFolder()
  const lock = await takeLock(`${places.folder}/pipeline`, { what: `The cache of ${repository.id}` })
  try {
    const there = await Promise.all(files.map(({ hash, size }) => places.has(hash.hex, size)))
    const missing = files.filter((_, i) => !there[i])
    const total = missing.reduce((sum, { size }) => sum + size, 0)
    if (missing.length > 0) progress.start(`Pulling ${repository.id}`, total, 'bytes')
    const done = new Map<string, number>()
    const limit = pLimit(atOnce)
    const base =
      repository.kind === 'dataset' ? `${client.url}/datasets/${repository.id}` : `${client.url}/${repository.id}`
    const unique = [...new Map(missing.map(file => [file.hash.hex, file])).values()]
    const results = await Promise.allSettled(
      unique.map(file =>
        limit(() =>
          download({
            client,
            file,
            address: `${base}/resolve/${commit}/${file.path.split('/').map(encodeURIComponent).join('/')}`,
            place: places.blob(file.hash.hex),
            onBytes(bytes) {
              done.set(file.path, bytes)
              progress.update([...done.values()].reduce((sum, part) => sum + part, 0))
            },
          }),
        ),
      ),
    )
    const failed = results.find(result => result.status === 'rejected')
    if (failed) throw failed.reason
    if (missing.length > 0) progress.finish()
    for (const { path, hash } of files) await places.link(commit, path, hash.hex)
    await places.note(commit)
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    return { directory: places.snapshot(commit), commit, files: files.length, bytes, fetched: total }
  } finally {
    await lock.release()
  }
}

/** Which commit a revision is. */
async function commitOf({ client, fetch }: Asking, { kind, id, revision }: Repository): Promise<string> {
  if (isCommit(revision)) return revision
  const { datasetInfo, modelInfo } = await import('@huggingface/hub')
  const asked = { name: id, revision, hubUrl: client.url, fetch }
  const { sha } = await readable(client, () =>
    kind === 'dataset'
      ? datasetInfo({ ...asked, additionalFields: ['sha'] })
      : modelInfo({ ...asked, additionalFields: ['sha'] }),
  )
  if (typeof sha === 'string' && isCommit(sha)) return sha
  throw new UserError(`The hub ${client.url} does not say which commit ${revision} of ${id} is.`)
}

/** Every file of a commit. */
async function filesOf({ client, fetch }: Asking, { kind, id }: Repository, commit: string): Promise<RepositoryFile[]> {
  const { listFiles } = await import('@huggingface/hub')
  return readable(client, async () => {
    const files: RepositoryFile[] = []
    const entries = listFiles({
      repo: { type: kind, name: id },
      recursive: true,
      revision: commit,
      hubUrl: client.url,
      fetch,
    })
    for await (const entry of entries) if (entry.type === 'file') files.push(fileOf(entry, id))
    return files
  })
}

/** What the library cannot make sense of is the hub's fault, and no bug. */
async function readable<T>({ url }: HubClient, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`The hub ${url} answers with something that cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}

function fileOf(
  entry: { path?: unknown; size?: unknown; oid?: unknown; lfs?: { oid?: unknown; size?: unknown } },
  id: string,
): RepositoryFile {
  const { path, size, oid, lfs } = entry
  const hash = lfs ? { kind: 'sha256' as const, hex: lfs.oid } : { kind: 'git' as const, hex: oid }
  const bytes = lfs?.size ?? size
  const form = hash.kind === 'sha256' ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/
  if (
    typeof path !== 'string' ||
    typeof bytes !== 'number' ||
    !Number.isSafeInteger(bytes) ||
    bytes < 0 ||
    typeof hash.hex !== 'string' ||
    !form.test(hash.hex)
  )
    throw new UserError(`The hub lists a file of ${id} without path, size or hash: it could not be checked.`)
  return { path: mustBeInside(path), size: bytes, hash: { kind: hash.kind, hex: hash.hex } }
}
