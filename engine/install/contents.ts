/**
 * What installed files are to be, and whether they still are. At installation each file's sha256 is recorded, from the
 * wheel's own list where it has one, with its size and time; a start of the engine looks at those two alone, and reads the
 * file again only where they differ.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256File } from '../../core/hash.ts'

/** A file as it was installed. */
export interface InstalledFile {
  readonly sha256: string
  readonly bytes: number
  /** When it was last written, in whole seconds since 1970. */
  readonly seconds: number
}

/** Installed files by their path in the root. */
export type Contents = Readonly<Record<string, InstalledFile>>

/** Records files of a root; `known` holds the sha256 of those that were hashed already. */
export async function recordContents(
  root: string,
  names: readonly string[],
  known: ReadonlyMap<string, string> = new Map(),
): Promise<Contents> {
  const contents: Record<string, InstalledFile> = {}
  for (const name of [...names].sort()) {
    const path = join(root, name)
    contents[name] = { sha256: known.get(name) ?? (await sha256File(path)), ...(await stampOf(path))! }
  }
  return contents
}

/**
 * The first file that is not as it was installed, if any; and what to record instead where files are the same and only
 * their times differ, as in a copied cache.
 */
export async function checkContents(
  root: string,
  contents: Contents,
): Promise<{ damaged?: string; renewed?: Contents }> {
  const renewed: Record<string, InstalledFile> = {}
  for (const [name, file] of Object.entries(contents)) {
    const path = join(root, name)
    const stamp = await stampOf(path)
    if (stamp?.bytes === file.bytes && stamp.seconds === file.seconds) continue
    if (stamp?.bytes !== file.bytes || (await sha256File(path)) !== file.sha256) return { damaged: name }
    renewed[name] = { ...file, ...stamp }
  }
  return Object.keys(renewed).length > 0 ? { renewed: { ...contents, ...renewed } } : {}
}

async function stampOf(path: string): Promise<{ bytes: number; seconds: number } | undefined> {
  return stat(path).then(
    ({ size, mtimeMs }) => ({ bytes: size, seconds: Math.floor(mtimeMs / 1000) }),
    () => undefined,
  )
}
