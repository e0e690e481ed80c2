/** The hub's cache on disk, in the layout that Hugging Face's own programs share: blobs by hash, snapshots as links to them. */
import { existsSync } from 'node:fs'
import { readFile, stat, symlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { codeOf, UserError } from '../errors.ts'
import { makeFolder, writeAtomic, writeError } from '../files.ts'
import { isCommit, type Repository } from './repository.ts'

/** Where the cache is: HF_HUB_CACHE, or `hub` in HF_HOME, or in the user's cache folder. */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = environment
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  return resolve(HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, 'hub'))
}

/** Places of one repository in the cache. */
export class RepositoryCache {
  readonly folder: string
  readonly #repository: Repository

  constructor(cache: string, repository: Repository) {
    this.#repository = repository
    this.folder = join(cache, [`${repository.kind}s`, ...repository.id.split('/')].join('--'))
  }

  blob(hex: string): string {
    return join(this.folder, 'blobs', hex)
  }

  /** Whether a blob is there, as long as it must be: one that the system lost bytes of is not. */
  async has(hex: string, size: number): Promise<boolean> {
    const found = await stat(this.blob(hex)).catch(() => undefined)
    return found?.size === size
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit)
  }

  /** The commit that the revision was when it was last pulled; undefined where it never was. */
  async commit(): Promise<string | undefined> {
    const { revision } = this.#repository
    if (isCommit(revision)) return revision
    try {
      const text = (await readFile(join(this.folder, 'refs', revision), 'utf8')).trim()
      return isCommit(text) ? text : undefined
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Notes which commit the revision is. */
  async note(commit: string): Promise<void> {
    const { revision } = this.#repository
    if (revision !== commit) await writeAtomic(join(this.folder, 'refs', revision), commit)
  }

  /** Makes the snapshot's file a link to its blob. */
  async link(commit: string, path: string, hex: string): Promise<void> {
    const place = join(this.snapshot(commit), path)
    if (existsSync(place)) return
    await makeFolder(dirname(place))
    try {
      await symlink(relative(dirname(place), this.blob(hex)), place)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw writeError(place, error)
    }
  }

  /** The snapshot of the revision without asking the hub; a `UserError` where it was never pulled. */
  async offline(): Promise<{ commit: string; directory: string }> {
    const commit = await this.commit()
    const directory = commit && this.snapshot(commit)
    if (commit && directory && existsSync(directory)) return { commit, directory }
    const { kind, id, revision } = this.#repository
    throw new UserError(`The ${kind} ${id} at ${revision} is not in the cache ${dirname(this.folder)}.`, {
      fix: 'Pull it once without --offline.',
    })
  }

  async makeBlobFolder(): Promise<void> {
    await makeFolder(join(this.folder, 'blobs'))
  }
}
