/** Metrics of a run from a byte on: whole lines only, so that a run that is being written can be followed. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, UserError } from '../../core/errors.ts'
import type { FinishedRun } from '../../runs/run.ts'

/** Bytes that one answer reads at most. */
const mostBytes = 2 ** 20

/** A line of metrics. */
export type MetricsRecord = Readonly<Record<string, unknown>>

/** Records from a cursor on, and the cursor to go on from. */
export interface MetricsPart {
  readonly records: readonly MetricsRecord[]
  readonly cursor: number
  /** Whether there is more at the moment. */
  readonly more: boolean
}

/** Reads records from byte `cursor` on; a `UserError` where no line begins there, or a line is no JSON. */
export async function readMetrics({ directory, manifest }: FinishedRun, cursor: number): Promise<MetricsPart> {
  const path = join(directory, 'metrics.jsonl')
  // A link may lead anywhere.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(error => {
    if (codeOf(error) === 'ENOENT') return undefined
    if (codeOf(error) === 'ELOOP')
      throw new UserError(`The metrics of ${manifest.id} are a link, and are not read.`, { fix: 'Put the file there.' })
    throw error
  })
  if (!file) return { records: [], cursor: 0, more: false }
  try {
    const { size } = await file.stat()
    if (cursor > size)
      throw new UserError(`The metrics of ${manifest.id} have ${size} bytes; there is nothing at ${cursor}.`, {
        fix: 'Start again from 0: the run went back to a checkpoint.',
      })
    const from = Math.max(0, cursor - 1)
    const bytes = Buffer.alloc(Math.min(mostBytes, size - from))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from)
    const whole = bytes.subarray(0, bytesRead)
    if (cursor > 0 && whole[0] !== newline)
      throw new UserError(`No line of the metrics of ${manifest.id} begins at byte ${cursor}.`, {
        fix: 'Start from 0.',
      })
    const start = cursor - from
    const end = whole.lastIndexOf(newline) + 1
    if (end <= start) return { records: [], cursor, more: false }
    const records = whole
      .subarray(start, end)
      .toString('utf8')
      .split('\n')
      .filter(Boolean)
      .map(line => parse(line, manifest.id))
    return { records, cursor: from + end, more: from + end < size }
  } finally {
    await file.close()
  }
}

const newline = 10

function parse(line: string, run: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    throw new UserError(`A line of the metrics of ${run} is no JSON.`)
  }
}
