/**
 * What shows that a manifest was changed after its run was closed.
 *
 * A manifest holds the sha256 of all the rest of itself, the key that follows from its settings and inputs, and the name of
 * its folder. Whoever changes it and computes all of these anew is found out by the runs made from it: they recorded the
 * content hash. A run from which nothing was made, changed that way, cannot be told from another that came out so.
 */
import { basename } from 'node:path'
import { UserError } from '../core/errors.ts'
import { hashValue } from '../core/hash.ts'
import { keyOf } from './key.ts'
import type { FinishedRun, RunManifest } from './run.ts'

/** The sha256 that a manifest records of itself: of all its fields but that one. */
export function sealOf(manifest: RunManifest): string {
  return hashValue({ ...manifest, sha256: undefined })
}

/**
 * The content hash of a finished run: what other runs record when it is their input. It is of the key, and so of stage,
 * settings, seed, engine and inputs, of the figures and of the files; times, machine and name do not enter.
 */
export function contentHash({ key, summary, files }: RunManifest): string {
  return hashValue({ key, summary, files })
}

/** What is wrong with the manifest of a finished run. */
export interface Flaw {
  readonly what: 'run.json' | 'run.json key' | 'run.json id'
  readonly problem: 'changed' | 'does not follow from its settings and inputs' | 'not the name of its folder'
}

/** Everything in which a finished run's manifest does not hold together; [] where it does. */
export function flawsOf({ directory, manifest }: FinishedRun): Flaw[] {
  const flaws: Flaw[] = []
  if (manifest.sha256 !== sealOf(manifest)) flaws.push({ what: 'run.json', problem: 'changed' })
  if (manifest.key !== keyOf(manifest, manifest.format))
    flaws.push({ what: 'run.json key', problem: 'does not follow from its settings and inputs' })
  if (manifest.id !== basename(directory)) flaws.push({ what: 'run.json id', problem: 'not the name of its folder' })
  return flaws
}

/** Throws a `UserError` unless the manifest of a finished run holds together. */
export function mustBeSealed(run: FinishedRun): void {
  const [flaw] = flawsOf(run)
  if (!flaw) return
  throw new UserError(`The run ${run.directory} is damaged: ${flaw.what}: ${flaw.problem}.`, {
    fix: `Put the old files back, or delete the folder and make the run again. \`pipeline runs verify ${basename(run.directory)}\` lists all that is wrong.`,
  })
}
