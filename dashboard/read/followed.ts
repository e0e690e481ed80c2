/**
 * Metrics of runs that are being written, kept between questions: of a file that grew only what is new is read and parsed. A file is
 * the same one while it has the same place on the disk and the bytes before the cursor are those that were read; a run that went
 * back to a checkpoint is read anew.
 */
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../core/errors.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { type MetricsRecord, readMetrics } from './metrics.ts'

/** Bytes before the cursor by which a file is known again. */
const tailBytes = 4096
/** Bytes of files that are kept as records, all together. */
const keptBytes = 32 * 2 ** 20

interface Followed {
  /** Number of the file on its disk. */
  readonly place: number
  cursor: number
  /** The bytes right before the cursor. */
  tail: Buffer
  readonly records: MetricsRecord[]
}

/** Metrics of the runs that were asked about last. */
export class FollowedMetrics {
  readonly #known = new Map<string, Followed>()
  /** Readings under way, so that a file is read by one at a time. */
  readonly #reading = new Map<string, Promise<readonly MetricsRecord[]>>()

  /** All records of a run that are whole at the moment, in their order. What was given grows with the next question. */
  records(run: FinishedRun): Promise<readonly MetricsRecord[]> {
    const path = join(run.directory, 'metrics.jsonl')
    const under = this.#reading.get(path)
    if (under) return under
    const reading = this.#read(run, path).finally(() => this.#reading.delete(path))
    this.#reading.set(path, reading)
    return reading
  }

  async #read(run: FinishedRun, path: string): Promise<readonly MetricsRecord[]> {
    const place = await stat(path).then(
      ({ ino }) => ino,
      error => {
        if (codeOf(error) === 'ENOENT') return -1
        throw error
      },
    )
    const before = this.#known.get(path)
    this.#known.delete(path)
    const isSame = before?.place === place && before.tail.equals(await tailOf(path, before.cursor))
    const followed = isSame ? before : { place, cursor: 0, tail: Buffer.alloc(0), records: [] }
    for (let more = true; more; ) {
      const part = await readMetrics(run, followed.cursor)
      for (const record of part.records) followed.records.push(record)
      followed.cursor = part.cursor
      more = part.more
    }
    followed.tail = await tailOf(path, followed.cursor)
    this.#known.set(path, followed)
    let bytes = [...this.#known.values()].reduce((sum, { cursor }) => sum + cursor, 0)
    for (const [oldest, { cursor }] of this.#known) {
      if (bytes <= keptBytes) break
      this.#known.delete(oldest)
      bytes -= cursor
    }
    return followed.records
  }
}

/** The bytes of a file right before a place; none where there is no such file. */
async function tailOf(path: string, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.min(tailBytes, end))
  if (bytes.length === 0) return bytes
  const file = await open(path).catch(error => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (!file) return Buffer.alloc(0)
  try {
    const { bytesRead } = await file.read(bytes, 0, bytes.length, end - bytes.length)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
