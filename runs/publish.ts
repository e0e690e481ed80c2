/**
 * Finished runs in an object store, for machines that share no disk: files as objects named by their sha256, then the manifest,
 * last and once. So a run is there as a whole or not at all, and its bytes are held to its manifest when it is fetched.
 */
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseConfig } from '../core/config.ts'
import { codeOf, NotThereError, UserError } from '../core/errors.ts'
import { makeFolder, writeJson } from '../core/files.ts'
import { sha256File } from '../core/hash.ts'
import { manifestName } from '../core/stage.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { readRunManifest } from './folder.ts'
import { checkId } from './names.ts'
import { problemOf } from './read.ts'
import { type FinishedRun, RunManifest } from './run.ts'
import { contentHash, flawsOf, mustBeSealed } from './seal.ts'

/** Bytes that are read of an object at a time. */
const pieceBytes = 32 << 20

const objectOf = (sha256: string) => `objects/${sha256}`
const manifestOf = (id: string) => `runs/${id}/${manifestName}`
const keyNamed = (key: string) => `keys/${key}`

/** Ids of the runs in a store, sorted. */
export async function publishedRuns(store: ObjectStore): Promise<string[]> {
  return (await store.list('runs/')).flatMap(name => /^runs\/([^/]+)\/run\.json$/.exec(name)?.[1] ?? [])
}

/**
 * Leaves a finished run in a store; `there` where the same run is. A `UserError` where a file is not as its manifest says, or
 * where another run of that id is there.
 */
export async function publishRun(store: ObjectStore, run: FinishedRun): Promise<'published' | 'there'> {
  const { directory, manifest } = run
  mustBeSealed(run)
  const before = await publishedManifest(store, manifest.id)
  if (before) {
    same(store, before, manifest)
    await store.putIfAbsent(keyNamed(manifest.key), Buffer.from(manifest.id))
    return 'there'
  }
  for (const [name, hash] of Object.entries(manifest.files)) {
    const path = join(directory, name)
    const problem = await problemOf(path, hash)
    if (problem)
      throw new UserError(`The file ${name} of the run ${manifest.id} is not what its manifest says: ${problem}.`)
    await store.putIfAbsent(objectOf(hash), { file: path })
  }
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)
  const isFirst = await store.putIfAbsent(manifestOf(manifest.id), bytes)
  if (!isFirst) same(store, (await publishedManifest(store, manifest.id))!, manifest)
  await store.putIfAbsent(keyNamed(manifest.key), Buffer.from(manifest.id))
  return isFirst ? 'published' : 'there'
}

/** The id of a run of this key in a store; undefined where none was left under its key. */
export async function publishedWith(store: ObjectStore, key: string): Promise<string | undefined> {
  if (!(await store.head(keyNamed(key)))) return undefined
  const id = Buffer.from(await store.read(keyNamed(key))).toString()
  const found = await publishedManifest(store, id)
  if (found?.key === key) return id
  throw new UserError(`${store.place} says that ${id} has the key ${key.slice(0, 12)}, which it has not.`, {
    fix: `Remove ${keyNamed(key)} there.`,
  })
}

/** Two runs of one id may differ in their times alone. */
function same(store: ObjectStore, before: RunManifest, manifest: RunManifest): void {
  if (contentHash(before) === contentHash(manifest)) return
  throw new UserError(`${store.place} has another run of the id ${manifest.id}.`, {
    fix: 'Make one of them again under another --name.',
  })
}

/** The manifest of a run in a store; undefined where there is none of this id. */
export async function publishedManifest(store: ObjectStore, id: string): Promise<RunManifest | undefined> {
  checkId(id)
  if (!(await store.head(manifestOf(id)))) return undefined
  const what = `the manifest of ${id} in ${store.place}`
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(await store.read(manifestOf(id))).toString())
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new UserError(`${what} is not JSON.`, { cause: error })
  }
  return parseConfig(RunManifest, value, what)
}

/**
 * Puts a run of a store into a folder of runs, all of it or nothing; `there` where the same run is. A `UserError`
 * where it is damaged there, or where another run of that id is here.
 */
export async function fetchRun(
  store: ObjectStore,
  id: string,
  folder: string,
): Promise<{ readonly state: 'fetched' | 'there'; readonly run: FinishedRun }> {
  const manifest = await publishedManifest(store, id)
  if (!manifest) throw new NotThereError(`There is no run ${id} in ${store.place}.`)
  const directory = join(folder, id)
  const [flaw] = flawsOf({ directory, manifest })
  if (flaw || manifest.status !== 'finished')
    throw new UserError(
      `The run ${id} in ${store.place} is damaged: ${flaw ? `${flaw.what}: ${flaw.problem}` : manifest.status}.`,
    )
  const known = async (): Promise<FinishedRun | undefined> => {
    const here = await readRunManifest(directory)
    if (!here) return undefined
    if (here.status === 'finished' && contentHash(here) === contentHash(manifest)) return { directory, manifest: here }
    throw new UserError(`Another run ${id} is in ${folder}.`, { fix: 'Fetch it into another --runs-dir.' })
  }
  const before = await known()
  if (before) return { state: 'there', run: before }
  const scratch = join(folder, `.fetch-${randomUUID()}`)
  try {
    for (const [name, hash] of Object.entries(manifest.files)) await fetchFile(store, hash, join(scratch, name), name)
    await writeJson(join(scratch, manifestName), manifest)
    await rename(scratch, directory)
  } catch (error) {
    await rm(scratch, { recursive: true, force: true })
    // Another process of this machine may have fetched it meanwhile.
    const run = codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST' ? await known() : undefined
    if (!run) throw error
    return { state: 'there', run }
  }
  return { state: 'fetched', run: { directory, manifest } }
}

async function fetchFile(store: ObjectStore, hash: string, path: string, name: string): Promise<void> {
  await makeFolder(dirname(path))
  const found = await store.head(objectOf(hash))
  if (!found) throw new UserError(`The file ${name} of the run is not in ${store.place}.`)
  const file = await open(path, 'wx')
  try {
    for (let start = 0; start < found.bytes; start += pieceBytes)
      await file.writeFile(await store.read(objectOf(hash), { start, end: start + pieceBytes }))
    await file.sync()
  } finally {
    await file.close()
  }
  if ((await sha256File(path)) !== hash)
    throw new UserError(`The file ${name} of the run is damaged in ${store.place}.`)
}
