/** Reading what a stage works on so that no byte is used that was not hashed: damaged inputs never become results. */
import { join } from 'node:path'
import { messageOf, SpoiltError } from '../../core/errors.ts'
import { footprintOf, mustBeSteady } from '../../core/steady.ts'
import { readVerified } from '../../runs/read.ts'
import type { FinishedRun } from '../../runs/run.ts'
import type { Found } from './found.ts'

/**
 * Does `read` on an input. Of a run, the files of these names are held to its manifest; of anything else, all of it must
 * still be as it was when it was hashed. A `UserError` names what is not.
 */
export async function reading<T>(
  found: Pick<Found, 'directory' | 'run' | 'footprint'>,
  names: readonly string[],
  read: () => Promise<T>,
): Promise<T> {
  if (found.run) return readVerified(found.run, names, read)
  const value = await read()
  await mustBeAsHashed(found)
  return value
}

/** The same on files of several runs at once. */
export async function readingRuns<T>(
  [first, ...rest]: readonly (readonly [FinishedRun, readonly string[]])[],
  read: () => Promise<T>,
): Promise<T> {
  return first ? readVerified(first[0], first[1], () => readingRuns(rest, read)) : read()
}

/**
 * For work that reads a run's files on and on, after they were verified: what it calls before it closes its own run. A file
 * that was touched since `watchRun` is hashed again; a `SpoiltError` where it was changed.
 */
export async function watchRun(run: FinishedRun): Promise<() => Promise<void>> {
  const names = Object.keys(run.manifest.files)
  const paths = names.map(name => join(run.directory, name))
  const before = await footprintOf(paths)
  return async () => {
    const after = await footprintOf(paths)
    const touched = names.filter((_, i) => before.get(paths[i]!) !== after.get(paths[i]!))
    try {
      await readVerified(run, touched, async () => {})
    } catch (error) {
      throw new SpoiltError(`While it was read: ${messageOf(error)}`, {
        fix: 'Put the old file back and start the same command again; what was made so far is removed.',
        cause: error,
      })
    }
  }
}

/** Throws a `UserError` where an input that is no run has changed since it was hashed. */
export async function mustBeAsHashed({ directory, footprint }: Pick<Found, 'directory' | 'footprint'>): Promise<void> {
  if (footprint) await mustBeSteady([directory], footprint)
}
