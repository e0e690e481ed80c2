/** A run's directory: its manifest, the files it holds, and what a killed process may have left in it. */
import { access, lstat, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseConfig } from '../core/config.ts'
import { codeOf, UserError } from '../core/errors.ts'
import { partialEnding, readError, readJson } from '../core/files.ts'
import { isOfLock } from '../core/lock.ts'
import { manifestName } from '../core/stage.ts'
import { manifestSchema, RunManifest } from './run.ts'

export const metricsName = 'metrics.jsonl'
/** The lock's name within a run. */
export const lockName = '.lock'
/** What the folder of a run is renamed to before it is removed; whatever a killed process left of one is removed by the next. */
export const discardedPrefix = '.discarded-'

/** Files of a run by relative path, sorted, without the manifest, the lock and half-written leftovers. */
export async function filesOf(directory: string): Promise<string[]> {
  const entries = await entriesOf(directory)
  return entries.flatMap(({ name, kind }) => (kind === 'file' && !name.endsWith(partialEnding) ? [name] : []))
}

/** Something in a run's directory: a plain file, an empty folder, or what is neither, such as a link. */
export interface Entry {
  readonly name: string
  readonly kind: 'file' | 'folder' | 'other'
}

/** All there is in a run's directory, by relative path, sorted, without the manifest and the lock. */
export async function entriesOf(directory: string): Promise<Entry[]> {
  const found: Entry[] = []
  const walk = async (folder: string, prefix: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true })
    if (entries.length === 0 && prefix !== '') found.push({ name: prefix, kind: 'folder' })
    for (const entry of entries) {
      const name = prefix + entry.name
      if (name === manifestName || isOfLock(name, lockName)) continue
      if (entry.isDirectory()) await walk(join(folder, entry.name), `${name}/`)
      else found.push({ name, kind: entry.isFile() ? 'file' : 'other' })
    }
  }
  await walk(directory, '')
  return found.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Whether the store may find this in a folder that is not a run yet. */
function ours(name: string): boolean {
  return isOfLock(name, lockName) || name.endsWith(partialEnding)
}

/** The manifest in a directory, or undefined where there is none; a damaged one is a `UserError`. */
export async function readRunManifest(directory: string): Promise<RunManifest | undefined> {
  const path = join(directory, manifestName)
  try {
    await lstat(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw readError(path, 'manifest', error)
  }
  const value = await readJson(path, 'manifest')
  const schema = (value as { schema?: unknown } | null)?.schema
  if (schema !== manifestSchema)
    throw new UserError(
      `The manifest ${path} has schema ${JSON.stringify(schema)}, but this version reads schema ${manifestSchema}.`,
      { fix: 'Make the run again with this version, under another name, or delete its folder first.' },
    )
  return parseConfig(RunManifest, value, `the manifest ${path}`)
}

/** A folder that holds something else must not become a run. */
export async function refuseStrangers(directory: string): Promise<void> {
  try {
    await access(join(directory, manifestName))
    return
  } catch {
    // no manifest: new, or made by a process that died before it wrote one
  }
  try {
    const stranger = (await readdir(directory)).find(name => !ours(name))
    if (stranger === undefined) return
    throw new UserError(`${directory} exists and is not a run (it holds ${stranger}).`, {
      fix: `Choose another --name, or another --runs-dir than ${dirname(directory)}.`,
    })
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return
    if (code === 'ENOTDIR')
      throw new UserError(`${directory} is a file, so no run can be made there.`, { cause: error })
    throw error
  }
}
