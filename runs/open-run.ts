/** A run while it is written: its metrics, and the three ways in which it ends. */
import { randomUUID } from 'node:crypto'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FaultError } from '../core/errors.ts'
import { removePartials, writeJson } from '../core/files.ts'
import { sha256File } from '../core/hash.ts'
import type { Lock } from '../core/lock.ts'
import { manifestName } from '../core/stage.ts'
import { discardedPrefix, filesOf, metricsName } from './folder.ts'
import { MetricsFile } from './metrics.ts'
import type { FinishedRun, RunManifest } from './run.ts'
import { sealOf } from './seal.ts'

/** A run that is being written. It ends by exactly one of `finish`, `stop` and `discard`. */
export class OpenRun {
  readonly directory: string
  readonly metrics: MetricsFile
  #manifest: RunManifest
  readonly #lock: Lock
  readonly #now: () => Date
  readonly #closed: (run: FinishedRun) => Promise<void>

  /** `closed` is told of the run once it is finished. */
  constructor(
    directory: string,
    manifest: RunManifest,
    lock: Lock,
    now: () => Date,
    closed: (run: FinishedRun) => Promise<void> = async () => {},
  ) {
    this.directory = directory
    this.metrics = new MetricsFile(join(directory, metricsName))
    this.#manifest = manifest
    this.#lock = lock
    this.#now = now
    this.#closed = closed
  }

  get manifest(): RunManifest {
    return this.#manifest
  }

  /** Records what runs the work, once it is started. */
  async describe(engine: Readonly<Record<string, unknown>>): Promise<void> {
    this.#manifest = { ...this.#manifest, engine: { ...engine } }
    await writeJson(join(this.directory, manifestName), this.#manifest)
  }

  /** Closes the run: hashes its files and writes the manifest for the last time. */
  async finish(
    summary: Readonly<Record<string, unknown>>,
    timing: Readonly<Record<string, number>> = {},
  ): Promise<FinishedRun> {
    const empty = this.metrics.lines === 0
    this.metrics.close()
    if (empty) await rm(join(this.directory, metricsName), { force: true })
    await removePartials(this.directory)
    const files: Record<string, string> = {}
    for (const name of await filesOf(this.directory)) files[name] = await sha256File(join(this.directory, name))
    await this.#close({
      status: 'finished',
      finished: this.#now().toISOString(),
      summary: { ...summary },
      ...(Object.keys(timing).length > 0 ? { timing: { ...timing } } : {}),
      files,
    })
    const run = { directory: this.directory, manifest: this.#manifest }
    await this.#closed(run)
    return run
  }

  /** Leaves the run as it is, to be resumed by the same command. */
  async stop(status: 'interrupted' | 'failed'): Promise<void> {
    this.metrics.close()
    await this.#close({ status })
  }

  /** Removes the run and everything in it. */
  async discard(): Promise<void> {
    this.metrics.close()
    await this.#mustBeOurs()
    // In one step out of the way, so that nobody begins a run of this name among what is being removed.
    const away = join(dirname(this.directory), `${discardedPrefix}${randomUUID()}`)
    await rename(this.directory, away)
    await this.#lock.release()
    await rm(away, { recursive: true, force: true })
  }

  /** A run that another process took over must not be written by this one any more. */
  async #mustBeOurs(): Promise<void> {
    if (await this.#lock.held()) return
    throw new FaultError(
      `The run ${this.directory} was taken over by another process, as this one stood still for long.`,
      {
        fix: 'Start the same command again: it waits for the other, or goes on with what it left.',
      },
    )
  }

  async #close(changes: Partial<RunManifest>): Promise<void> {
    const closed = { ...this.#manifest, ...changes }
    this.#manifest = closed.status === 'finished' ? { ...closed, sha256: sealOf(closed) } : closed
    try {
      await this.#mustBeOurs()
      await writeJson(join(this.directory, manifestName), this.#manifest)
    } finally {
      await this.#lock.release()
    }
  }
}
