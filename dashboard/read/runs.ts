/** The runs of a store as pages and programs see them: manifests and files are read again only where they have changed. */
import type { Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { codeOf, messageOf, NotThereError, UserError } from '../../core/errors.ts'
import { hashValue } from '../../core/hash.ts'
import { nearest } from '../../core/nearest.ts'
import { manifestName } from '../../core/stage.ts'
import { readRunManifest } from '../../runs/folder.ts'
import { readVerified } from '../../runs/read.ts'
import type { FinishedRun, RunManifest } from '../../runs/run.ts'
import { RunId } from '../../runs/run.ts'
import { contentHash } from '../../runs/seal.ts'
import { RunStore } from '../../runs/store.ts'
import { FollowedMetrics } from './followed.ts'
import { FoundLatents } from './search.ts'
import { Table } from './table.ts'

/** What a store holds at the moment. */
export interface Listing {
  /** Oldest first. */
  readonly runs: readonly FinishedRun[]
  readonly unreadable: readonly { readonly directory: string; readonly reason: string }[]
  /** Equal for equal listings. */
  readonly tag: string
}

interface KnownManifest {
  readonly stamp: string
  /** Undefined where the folder is no run. */
  readonly run: FinishedRun | undefined
  readonly problem: string | undefined
}

interface KeptFile {
  /** On disk. */
  readonly bytes: number
  readonly found: Promise<unknown>
  /** What was found, once it is. */
  value?: unknown
}

/** What a kept file takes, as far as it is known. */
const bytesOf = ({ bytes, value }: KeptFile) =>
  value instanceof Table || value instanceof FoundLatents ? value.bytes : bytes

/** Files kept at most, and the bytes that they may take together: a table its loaded columns, what was found what it holds, all others their size on disk. */
const keptFiles = 24
const keptBytes = 128 * 2 ** 20

/** A store, and what was read of it lately. */
export class Runs {
  readonly store: RunStore
  readonly metrics = new FollowedMetrics()
  readonly #manifests = new Map<string, KnownManifest>()
  readonly #sound = new WeakSet<RunManifest>()
  readonly #hashes = new WeakMap<RunManifest, string>()
  readonly #files = new Map<string, KeptFile>()
  /** Files that were hashed, by path: how they looked then, and whether they were as their manifest says. */
  readonly #proofs = new Map<string, { readonly stamp: string; readonly proof: Promise<void> }>()

  constructor(directory: string) {
    this.store = new RunStore(directory)
  }

  /** Every run of the store. */
  async list(): Promise<Listing> {
    const names = await readdir(this.store.directory, { withFileTypes: true }).catch(error => {
      if (codeOf(error) === 'ENOENT') return []
      throw error
    })
    const folders = names.filter(entry => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name)
    const known = await Promise.all(folders.map(name => this.#manifest(name)))
    const gone = new Set(this.#manifests.keys())
    for (const name of folders) gone.delete(name)
    for (const name of gone) this.#manifests.delete(name)
    const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
    const runs = known.flatMap(({ run }) => (run ? [run] : []))
    runs.sort((a, b) => order(a.manifest.started, b.manifest.started) || order(a.manifest.id, b.manifest.id))
    const unreadable = known.flatMap(({ problem }, i) =>
      problem === undefined ? [] : [{ directory: join(this.store.directory, folders[i]!), reason: problem }],
    )
    return { runs, unreadable, tag: hashValue(known.map(({ stamp }, i) => [folders[i]!, stamp]).sort()) }
  }

  /** A manifest of the store, read again where its file is another than last time. */
  async #manifest(name: string): Promise<KnownManifest> {
    const directory = join(this.store.directory, name)
    const info = await lstat(join(directory, manifestName)).catch(() => undefined)
    const stamp = info ? stampOf(info) : 'none'
    const before = this.#manifests.get(name)
    if (before?.stamp === stamp) return before
    let made: KnownManifest
    try {
      // A link may lead anywhere; runs are folders of the store itself.
      if ((await lstat(directory).catch(() => undefined))?.isSymbolicLink())
        throw new UserError('It is a link, not a folder.')
      const manifest = await readRunManifest(directory)
      if (manifest && manifest.id !== name)
        throw new UserError(`Its run.json is that of the run ${manifest.id}, but a folder bears the name of its run.`)
      made = { stamp, run: manifest && { directory, manifest }, problem: undefined }
    } catch (error) {
      made = { stamp, run: undefined, problem: messageOf(error) }
    }
    this.#manifests.set(name, made)
    return made
  }

  /** The run with this id, in the store itself: never a path. */
  async find(id: string): Promise<FinishedRun> {
    if (!RunId.safeParse(id).success) throw new NotThereError(`${JSON.stringify(id)} is not the id of a run.`)
    const { run, problem } = await this.#manifest(id)
    if (run) return run
    if (problem !== undefined)
      throw new UserError(`The run ${id} cannot be read: ${problem}`, {
        fix: 'Put its run.json back, or delete its folder.',
      })
    const ids = (await this.list()).runs.map(({ manifest }) => manifest.id)
    throw new NotThereError(`There is no run ${id} in ${this.store.directory}.`, {
      fix: ids.length > 0 ? `Did you mean ${nearest(id, ids, 3).join(', ')}?` : 'This store is empty.',
    })
  }

  /** A finished run of one of the stages, whose manifest holds together. */
  async finished(id: string, ...stages: readonly string[]): Promise<FinishedRun> {
    const run = await this.find(id)
    const { manifest } = run
    if (this.#sound.has(manifest) && stages.includes(manifest.stage)) return run
    await this.store.finished(basename(run.directory), stages)
    this.#sound.add(manifest)
    return run
  }

  /** The content hash of a run, by which runs made from it know it. */
  contentHash(manifest: RunManifest): string {
    const hash = this.#hashes.get(manifest) ?? contentHash(manifest)
    this.#hashes.set(manifest, hash)
    return hash
  }

  /**
   * What `read` makes of a file of a run, kept for as long as the file is the same; of the last few files only. A file of a
   * finished run is held to the hash in its manifest before it is read; where it is another, that is a `UserError`.
   */
  async kept<T>(run: FinishedRun, file: string, read: (path: string) => Promise<T>, as = ''): Promise<T> {
    const path = join(run.directory, file)
    const info = await lstat(path).catch(() => undefined)
    if (info && !info.isFile())
      throw new UserError(`${file} of the run ${run.manifest.id} is no plain file, and is not read.`)
    if (info && run.manifest.status === 'finished') await this.#prove(run, file, stampOf(info))
    const key = `${as} ${path} ${info ? stampOf(info) : ''} ${run.manifest.files[file] ?? ''}`
    const known = this.#files.get(key)
    this.#files.delete(key)
    const kept: KeptFile = known ?? { bytes: info?.size ?? 0, found: read(path) }
    this.#files.set(key, kept)
    kept.found.then(
      value => {
        kept.value = value
      },
      () => this.#files.delete(key),
    )
    this.#forget()
    return kept.found as Promise<T>
  }

  /** Hashes a file once for as long as it looks the same. */
  #prove(run: FinishedRun, file: string, looks: string): Promise<void> {
    const path = join(run.directory, file)
    const stamp = `${looks} ${run.manifest.files[file] ?? ''}`
    const known = this.#proofs.get(path)
    if (known?.stamp === stamp) return known.proof
    const proof = readVerified(run, [file], async () => {})
    this.#proofs.set(path, { stamp, proof })
    proof.catch(() => this.#proofs.delete(path))
    return proof
  }

  /** A table of a finished run, for one question, with these columns loaded. */
  async table(run: FinishedRun, file: string, schema: number, columns: Iterable<string>): Promise<Table> {
    const table = (await this.kept(run, file, path => Table.open(path, schema), 'table')).view()
    await table.load(columns)
    this.#forget()
    return table
  }

  /** Lets go of what was asked for longest ago, until the rest is few and small enough; never of the last. */
  #forget(): void {
    let bytes = [...this.#files.values()].reduce((sum, file) => sum + bytesOf(file), 0)
    for (const [key, file] of this.#files) {
      if (this.#files.size <= 1 || (this.#files.size <= keptFiles && bytes <= keptBytes)) return
      this.#files.delete(key)
      bytes -= bytesOf(file)
    }
  }
}

/** What changes when a file does: its times, size and place on the disk. */
const stampOf = ({ mtimeMs, ctimeMs, size, ino }: Stats) => `${mtimeMs} ${ctimeMs} ${size} ${ino}`
