/**
 * What happens in the store, as a stream of events: manifests that change, and metrics of runs that are watched. Nothing is
 * kept but how far a stream is, and that goes with every event as its id; so a stream that is cut goes on where it was, on
 * this server or the next, and a slow reader costs no memory: records are read from the file when it takes them.
 */
import type { SSEStreamingApi } from 'hono/streaming'
import { UserError } from '../../core/errors.ts'
import type { RunManifest } from '../../runs/run.ts'
import { readMetrics } from '../read/metrics.ts'
import { type Place, placeText } from '../read/place.ts'
import { byId, runLine } from '../read/run-lines.ts'
import type { Runs } from '../read/runs.ts'

/** Milliseconds between looks at files, and between signs of life where nothing happens. */
const look = 250
const beat = 15_000

/** Runs that a stream may watch. */
export const mostWatched = 32

export interface LiveOptions {
  readonly runs: Runs
  readonly watched: readonly string[]
  /** Where to go on. */
  readonly place: Place
  readonly signal: AbortSignal
}

/** Writes events until the reader is gone or the server stops. */
export async function live(
  stream: SSEStreamingApi,
  { runs, watched, place: start, signal }: LiveOptions,
): Promise<void> {
  const place = new Map(watched.map(run => [run, start.get(run) ?? 0]))
  let known: ReadonlyMap<string, RunManifest> | undefined
  let tag = ''
  let silent = Date.now()
  const isOver = () => signal.aborted || stream.aborted || stream.closed
  const send = async (event: string, data: unknown) => {
    silent = Date.now()
    await stream.writeSSE({ event, id: placeText(place), data: JSON.stringify(data) })
  }
  while (!isOver()) {
    let more = false
    for (const run of watched) {
      const sent = await nextMetrics(runs, run, place, send)
      more ||= sent
    }
    const listing = await runs.list()
    if (listing.tag !== tag) {
      tag = listing.tag
      const now = byId(listing.runs)
      const before = known
      const changed = [...now.values()].filter(manifest =>
        before ? before.get(manifest.id) !== manifest : manifest.status === 'running' || watched.includes(manifest.id),
      )
      const gone = before ? [...before.keys()].filter(id => !now.has(id)) : []
      known = now
      await send('runs', { tag, runs: changed.map(manifest => runLine(manifest, now)), gone })
    }
    if (Date.now() - silent > beat) {
      silent = Date.now()
      await stream.write(': still here\n\n')
    }
    // What is written while one reads is sent at once; only where there is nothing is there a pause.
    if (!more && !isOver()) await pause(look, signal)
  }
}

/** Sends what there is of a run's metrics behind its place; whether there is more. */
async function nextMetrics(
  runs: Runs,
  run: string,
  place: Map<string, number>,
  send: (event: string, data: unknown) => Promise<void>,
): Promise<boolean> {
  const found = await runs.find(run).catch(error => {
    // It is made anew at the moment, or deleted: the list says so.
    if (error instanceof UserError) return undefined
    throw error
  })
  if (!found) return false
  const from = place.get(run)!
  try {
    const part = await readMetrics(found, from)
    place.set(run, part.cursor)
    if (part.records.length > 0) await send('metrics', { run, records: part.records, cursor: part.cursor })
    return part.more
  } catch (error) {
    if (!(error instanceof UserError) || from === 0) throw error
    place.set(run, 0)
    await send('reset', { run, reason: error.message })
    return true
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(done => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      done()
    }
    const timer = setTimeout(end, milliseconds)
    signal.addEventListener('abort', end)
  })
}
