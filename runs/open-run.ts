/** A run while it is written: its metrics, and the three ways in which it ends. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJson } from '../core/files.ts'
import { sha256File } from '../core/hash.ts'
import { filesOf, leftoversOf, manifestName, metricsName } from './folder.ts'
import { MetricsFile } from './metrics.ts'
import type { RunManifest } from './run.ts'

/** A finished run. */
export interface FinishedRun {
  readonly directory: string
  readonly manifest: RunManifest
}

/** A run that is being written. It ends by exactly one of `finish`, `stop` and `discard`. */
export class OpenRun {
  readonly directory: string
  readonly metrics: MetricsFile
  #manifest: RunManifest
  readonly #unlock: () => Promise<void>
  readonly #now: () => Date

  constructor(directory: string, manifest: RunManifest, unlock: () => Promise<void>, now: () => Date) {
    this.directory = directory
    this.metrics = new MetricsFile(join(directory, metricsName))
    this.#manifest = manifest
    this.#unlock = unlock
    this.#now = now
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
    for (const name of await leftoversOf(this.directory)) await rm(join(this.directory, name))
    const files: Record<string, string> = {}
    for (const name of await filesOf(this.directory)) files[name] = await sha256File(join(this.directory, name))
    await this.#close({
      status: 'finished',
      finished: this.#now().toISOString(),
      summary: { ...summary },
      ...(Object.keys(timing).length > 0 ? { timing: { ...timing } } : {}),
      files,
    })
    return { directory: this.directory, manifest: this.#manifest }
  }

  /** Leaves the run as it is, to be resumed by the same command. */
  async stop(status: 'interrupted' | 'failed'): Promise<void> {
    this.metrics.close()
    await this.#close({ status })
  }

  /** Removes the run and everything in it. */
  async discard(): Promise<void> {
    this.metrics.close()
    await rm(this.directory, { recursive: true, force: true })
  }

  async #close(changes: Partial<RunManifest>): Promise<void> {
    this.#manifest = { ...this.#manifest, ...changes }
    try {
      await writeJson(join(this.directory, manifestName), this.#manifest)
    } finally {
      await this.#unlock()
    }
  }
}
