/** What a run is to be, and the key that follows: the hash of all that its bytes depend on. */
import { nameOfPath } from '../core/files.ts'
import { hashValue } from '../core/hash.ts'
import type { RunInput } from './run.ts'

/** Raised whenever the same config and inputs give other bytes than before, so that old runs are not taken for new. */
export const formatVersion = 4

/** What a run is to be: everything its bytes depend on, and how it may be called. */
export interface RunRequest {
  readonly stage: string
  /** The parsed config, defaults filled in. */
  readonly config: Readonly<Record<string, unknown>>
  readonly inputs: readonly RunInput[]
  readonly seed: number
  /** The engine's facts; `name` and `precision` are part of the key. */
  readonly engine: Readonly<Record<string, unknown>>
  readonly versions: Readonly<Record<string, string>>
  readonly machine: Readonly<Record<string, unknown>>
  /** Exactly this id. */
  readonly name?: string
  /** What a generated id begins with; default the stage. */
  readonly prefix?: string
}

/**
 * The key of a run: sha256 over format, stage, seed, engine, config and the inputs' hashes. Where an input lies is
 * not part of it, so config keys that only name inputs (`model`, `dataset.path`, `capture` …) are left out; what a model
 * or text is called is, since other tools are told.
 */
export function keyOf(
  request: Pick<RunRequest, 'stage' | 'config' | 'inputs' | 'seed' | 'engine'>,
  format = formatVersion,
): string {
  const config: Record<string, unknown> = { ...request.config }
  for (const { role } of request.inputs) {
    const value = config[role]
    if (value !== null && typeof value === 'object') config[role] = { ...value, path: undefined }
    else delete config[role]
  }
  return hashValue({
    format,
    stage: request.stage,
    seed: request.seed,
    engine: { name: request.engine.name, precision: request.engine.precision },
    config,
    inputs: request.inputs.map(({ role, sha256, run, path }) =>
      run === undefined && path !== undefined ? { role, sha256, name: nameOfPath(path) } : { role, sha256 },
    ),
  })
}
