/**
 * Parts of one piece of work, left in an object store by whoever did them. The files of a part are objects named by their
 * hash; its record, which lists them, is made after them and once. So a part is there as a whole or not at all, and two
 * processes that did the same one left the same.
 */
import { link, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../core/config.ts'
import { codeOf, NotThereError, UserError } from '../core/errors.ts'
import { makeFolder, writeAtomic } from '../core/files.ts'
import { sha256, sha256File } from '../core/hash.ts'
import type { ObjectStore } from './object-store.ts'

const Hash = z.string().regex(/^[0-9a-f]{64}$/)
const FileName = z.string().regex(/^(?!\.)[A-Za-z0-9._-]+(\/(?!\.)[A-Za-z0-9._-]+)*$/)

const PartRecord = z.strictObject({
  schema: z.literal(1),
  unit: z.string(),
  /** The kind of engine and processor that did it; between two kinds the last digits may differ. */
  computedOn: z.string(),
  files: z.array(z.strictObject({ name: FileName, sha256: Hash, bytes: z.int().min(0) })),
})
export type PartRecord = z.infer<typeof PartRecord>

const UnitList = z.strictObject({
  schema: z.literal(2),
  /** Of the program that divided the work: another one may divide it, or do its parts, otherwise. */
  version: z.string(),
  units: z.array(z.string()).min(1),
})
type UnitList = z.infer<typeof UnitList>

/** Bytes that are read of an object at a time. */
const pieceBytes = 32 << 20

/** The parts of the work that has this key. */
export class Parts {
  readonly store: ObjectStore
  readonly key: string

  constructor(store: ObjectStore, key: string) {
    this.store = store
    this.key = key
  }

  /** Records which units the work has. A `UserError` where it was recorded with others, or by another version. */
  async divide(units: readonly string[], version: string): Promise<void> {
    await this.store.putIfAbsent(this.#listName, json({ schema: 2, version, units }))
    await this.mustBeOf(version)
    const known = await this.units()
    if (known?.join() !== units.join()) throw this.#divided('into other units')
  }

  /** A `UserError` where another version of the program divided the work, whose parts may have other bytes. */
  async mustBeOf(version: string): Promise<void> {
    const known = await this.#list()
    if (known && known.version !== version) throw this.#divided(`by version ${known.version}, and this is ${version}`)
  }

  #divided(how: string): UserError {
    return new UserError(`The work ${this.key.slice(0, 12)} was divided ${how}.`, {
      fix: `Use one version of this program, or remove ${this.key} from ${this.store.place}: its parts are done again.`,
    })
  }

  /** Whether the work is divided and not closed yet: parts of any other are nobody's. */
  async isOpen(): Promise<boolean> {
    return (await this.store.head(this.#listName)) !== undefined
  }

  /** The units of the work in their order, or undefined where nobody has divided it yet, or it is closed. */
  async units(): Promise<readonly string[] | undefined> {
    return (await this.#list())?.units
  }

  async #list(): Promise<UnitList | undefined> {
    if (!(await this.isOpen())) return undefined
    return parseConfig(UnitList, await this.#json(this.#listName), `the list of units in ${this.store.place}`)
  }

  /** The units whose part is there. */
  async done(): Promise<Set<string>> {
    const prefix = `${this.key}/units/`
    const names = await this.store.list(prefix)
    return new Set(names.map(name => name.slice(prefix.length).replace(/\.json$/, '')))
  }

  /** The record of a part, or undefined where it is not there. */
  async record(unit: string): Promise<PartRecord | undefined> {
    const name = this.#recordOf(unit)
    if (!(await this.store.head(name))) return undefined
    return parseConfig(PartRecord, await this.#json(name), `the record of ${unit} in ${this.store.place}`)
  }

  /**
   * Leaves all files below `directory` as the part of a unit. Where it is there already, its files must be the same: a
   * `UserError` names the first that is not, unless another kind of processor did it. A part of work that was closed meanwhile
   * is not left: false.
   */
  async publish(unit: string, directory: string, computedOn: string): Promise<boolean> {
    const left = new Map<string, string>()
    await this.#leave(unit, directory, computedOn, left)
    if (await this.isOpen()) return true
    // Whoever closes work removes its list before its parts: those that come after the list is gone would stay.
    await this.#withdraw(unit, left)
    return false
  }

  /** Leaves the part, and adds the path of each of its files by its hash to `left`. */
  async #leave(unit: string, directory: string, computedOn: string, left: Map<string, string>): Promise<void> {
    const files: { name: string; sha256: string; bytes: number }[] = []
    for (const name of await filesBelow(directory)) {
      const path = join(directory, name)
      const hash = await sha256File(path)
      files.push({ name, sha256: hash, bytes: (await stat(path)).size })
      left.set(hash, path)
      await this.store.putIfAbsent(this.#objectOf(hash), { file: path })
    }
    const record: PartRecord = { schema: 1, unit, computedOn, files }
    if (await this.store.putIfAbsent(this.#recordOf(unit), json(record))) return
    const before = await this.record(unit)
    if (!before || before.computedOn !== computedOn) return
    const other = files.find(file => before.files.find(({ name }) => name === file.name)?.sha256 !== file.sha256)
    if (other || before.files.length !== files.length)
      throw new UserError(
        `${unit} was done twice and came out differently${other ? ` (${other.name})` : ''}: the same work must give the same bytes.`,
        { fix: 'Check that all machines have the same version of this program, the same model and the same text.' },
      )
  }

  /**
   * Takes one part back, and nothing else: the work may have been divided again meanwhile, for a run of another name. A part of the
   * new division is at worst done once more, and no record is left that names what is gone.
   */
  async #withdraw(unit: string, left: ReadonlyMap<string, string>): Promise<void> {
    await this.remove(unit)
    const named = await this.#named()
    for (const hash of left.keys()) if (!named.has(hash)) await this.store.remove(this.#objectOf(hash))
    // Whoever found an object there, before it was removed, may have named it since.
    const since = await this.#named()
    for (const [hash, file] of left) if (since.has(hash)) await this.store.putIfAbsent(this.#objectOf(hash), { file })
  }

  /** The hashes of all files that a record names. */
  async #named(): Promise<Set<string>> {
    const named = new Set<string>()
    for (const unit of await this.done())
      try {
        for (const { sha256 } of (await this.record(unit))?.files ?? []) named.add(sha256)
      } catch (error) {
        // Removed since it was listed.
        if (!(error instanceof NotThereError)) throw error
      }
    return named
  }

  /** Puts the files of a part into a directory. A `UserError` where one is not as its record says. */
  async gather(unit: string, into: string): Promise<PartRecord> {
    const record = await this.record(unit)
    if (!record) throw new UserError(`The part ${unit} is not in ${this.store.place}.`)
    for (const { name, sha256: hash } of record.files) {
      const path = join(into, name)
      await makeFolder(join(path, '..'))
      await this.#fetch(unit, hash, path)
    }
    return record
  }

  /** Removes a part, so that it is done again. */
  async remove(unit: string): Promise<void> {
    await this.store.remove(this.#recordOf(unit))
  }

  /** Closes the work: removes all parts, and what was left of unfinished ones. */
  async clear(): Promise<void> {
    // The list first, by which late parts know that they are; objects last, since one that a record names must be there.
    for (const kind of ['units.json', 'units/', 'objects/'])
      for (const name of await this.store.list(`${this.key}/${kind}`)) await this.store.remove(name)
    if (this.store.pathOf) await rm(this.store.pathOf(this.key), { recursive: true, force: true })
  }

  /** A part that is damaged is removed, so that the same command does it again. */
  async #fetch(unit: string, hash: string, path: string): Promise<void> {
    const name = this.#objectOf(hash)
    const damaged = async () => {
      await this.remove(unit)
      await this.store.remove(name)
      return new UserError(`The part ${unit} in ${this.store.place} was damaged (${name}), and is removed.`, {
        fix: 'Start the same command again: what is missing is done again.',
      })
    }
    const found = await this.store.head(name)
    if (!found) throw await damaged()
    const here = this.store.pathOf?.(name)
    if (here !== undefined) {
      if ((await sha256File(here)) !== hash) throw await damaged()
      await rm(path, { force: true })
      try {
        await link(here, path)
        return
      } catch (error) {
        if (codeOf(error) !== 'EXDEV') throw error
      }
    }
    const pieces: Uint8Array[] = []
    for (let start = 0; start < found.bytes; start += pieceBytes)
      pieces.push(await this.store.read(name, { start, end: start + pieceBytes }))
    if (sha256(Buffer.concat(pieces)) !== hash) throw await damaged()
    await writeAtomic(path, pieces)
  }

  async #json(name: string): Promise<unknown> {
    return JSON.parse(Buffer.from(await this.store.read(name)).toString())
  }

  get #listName(): string {
    return `${this.key}/units.json`
  }

  #recordOf(unit: string): string {
    return `${this.key}/units/${unit}.json`
  }

  #objectOf(hash: string): string {
    return `${this.key}/objects/${hash}`
  }
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort()
}
