/** A run's directory: its manifest, the files it holds, and what a killed process may have left in it. */
import { access, readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { codeOf, messageOf, UserError } from '../core/errors.ts'
import { partialEnding } from '../core/files.ts'
import { isOfLock } from '../core/lock.ts'
import { RunManifest } from './run.ts'

export const manifestName = 'run.json'
export const metricsName = 'metrics.jsonl'
/** The lock's name within a run. */
export const lockName = '.lock'
/** What the folder of a run is renamed to before it is removed; whatever a killed process left of one is removed by the next. */
export const discardedPrefix = '.discarded-'

/** Files of a run by relative path, sorted, without the manifest, the lock and half-written leftovers. */
export async function filesOf(directory: string): Promise<string[]> {
  return (await walk(directory)).filter(name => name !== manifestName && !ours(name))
}

async function walk(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
}

/** Whether the store may find this in a folder that is not a run yet. */
function ours(name: string): boolean {
  return isOfLock(name, lockName) || name.endsWith(partialEnding)
}

/** The manifest in a directory, or undefined where there is none. */
export async function readRunManifest(directory: string): Promise<RunManifest | undefined> {
  const path = join(directory, manifestName)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UserError(`The manifest ${path} is not JSON: ${messageOf(error)}.`, { cause: error })
  }
  const result = RunManifest.safeParse(value)
  if (result.success) return result.data
  const schema = (value as { schema?: unknown } | null)?.schema
  throw new UserError(
    schema === 1
      ? `The manifest ${path} is not one of ours: ${result.error.issues[0]?.path.join('.')}: ${result.error.issues[0]?.message}.`
      : `The manifest ${path} has schema ${JSON.stringify(schema)}, but this version reads schema 1.`,
  )
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
