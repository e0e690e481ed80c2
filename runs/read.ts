/** Reading a finished run's files so that no byte is used that is not as its manifest says. */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, UserError } from '../core/errors.ts'
import { sha256File } from '../core/hash.ts'
import { steadily } from '../core/steady.ts'
import type { FinishedRun } from './run.ts'

/**
 * Does `read` on files of a finished run, by name: each is hashed and held to the manifest first, and seen to be untouched
 * when `read` is done. A damaged, missing or foreign file is a `UserError` that names it and the run. A file that the
 * manifest does not list must not be there, so that readers of optional files read no other.
 */
export async function readVerified<T>(run: FinishedRun, names: readonly string[], read: () => Promise<T>): Promise<T> {
  const { directory, manifest } = run
  return steadily(
    names.map(name => join(directory, name)),
    async () => {
      for (const name of names) {
        const problem = await problemOf(join(directory, name), manifest.files[name])
        if (problem) throw wrongFile(run, name, problem)
      }
      return read()
    },
  )
}

/**
 * Throws a `UserError` that names the first file of a finished run which is missing or not as its manifest says: all of them are hashed.
 * Throws an `InterruptedError` once the signal is aborted.
 */
export async function mustBeWhole(run: FinishedRun, signal?: AbortSignal): Promise<void> {
  for (const [name, hash] of Object.entries(run.manifest.files)) {
    const problem = await problemOf(join(run.directory, name), hash, signal)
    if (problem) throw wrongFile(run, name, problem)
  }
}

function wrongFile({ directory, manifest: { id } }: FinishedRun, name: string, problem: string): UserError {
  return new UserError(`The file ${name} of the run ${id} is not what its manifest says: ${problem}.`, {
    fix: `Put the old file back, or delete ${directory} and make the run again. \`pipeline runs verify ${id}\` lists all that is wrong.`,
  })
}

/** What is wrong with a file that should have this sha256, or should not be where that is undefined. */
export async function problemOf(
  path: string,
  sha256: string | undefined,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const problem = await placeProblemOf(path)
  if (sha256 === undefined) return problem === 'missing' ? undefined : 'not in the manifest'
  return problem ?? ((await sha256File(path, signal)) === sha256 ? undefined : 'changed')
}

/** What is wrong with the place of a file. */
async function placeProblemOf(path: string): Promise<'missing' | 'not a plain file' | undefined> {
  try {
    return (await lstat(path)).isFile() ? undefined : 'not a plain file'
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error
    return 'missing'
  }
}
