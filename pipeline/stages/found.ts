/** An input of a stage: a run, or files that are no run, with the hash by which it is recorded. */
import { hashPath } from '../../core/hash.ts'
import { type Footprint, footprintOf } from '../../core/steady.ts'
import type { FinishedRun, RunInput } from '../../runs/run.ts'
import { contentHash } from '../../runs/seal.ts'

/** An input of a stage, and where its files are. */
export interface Found {
  readonly input: RunInput
  readonly directory: string
  /** The run it is, when it is one. */
  readonly run?: FinishedRun
  /** Of files that are no run, as they were when they were hashed. */
  readonly footprint?: Footprint
}

/** An input that is no run, hashed now; `name` is its path, or what stands for it. */
export async function hashed(role: string, directory: string, name = directory, hash = hashPath): Promise<Found> {
  const footprint = await footprintOf([directory])
  return { directory, footprint, input: { role, path: name, sha256: await hash(directory) } }
}

/** A finished run as an input. */
export function runAsInput(run: FinishedRun, role: string): Found & { run: FinishedRun } {
  const { directory, manifest } = run
  return { run, directory, input: { role, run: manifest.id, path: directory, sha256: contentHash(manifest) } }
}

/** How messages call an input. */
export function nameOf({ input }: Found): string {
  return input.run ?? input.path ?? input.role
}
