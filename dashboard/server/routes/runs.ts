/** Runs: the list, one manifest, whether its files hold, and what differs between two. */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { UserError } from '../../../core/errors.ts'
import { hashValue } from '../../../core/hash.ts'
import { diffRuns } from '../../../runs/lineage.ts'
import { problemOf } from '../../../runs/read.ts'
import type { RunManifest } from '../../../runs/run.ts'
import { diff, type RunLine, run, runs, verify } from '../../api/contracts/runs.ts'
import { pageOf } from '../../read/cursor.ts'
import { redacted } from '../../read/redact.ts'
import { byId, runLine, runTable } from '../../read/run-lines.ts'
import { select } from '../../read/select.ts'
import { defineRoute } from '../route.ts'

export const runsRoute = defineRoute(runs, async ({ runs }, { query }) => {
  const { stage, status, where, sort, ...asked } = query
  const listing = await runs.list()
  const others = byId(listing.runs)
  const chosen = [...others.values()]
    .filter(run => (stage === undefined || run.stage === stage) && (status === undefined || run.status === status))
    .reverse()
  return {
    tag: listing.tag,
    value() {
      const lines = chosen.map(manifest => runLine(manifest, others))
      const rows =
        where.length > 0 || sort !== undefined ? [...select(runTable(lines), { where, sort })] : [...lines.keys()]
      // A run that is new does not move what a reader has begun: the cursor is of the ids that are listed.
      const page = pageOf(rows, asked, hashValue([rows.map(row => lines[row]!.id), where, sort]))
      const shown: z.output<typeof RunLine>[] = page.entries.map(row => lines[row]!)
      return { runs: shown, total: page.total, next: page.next, unreadable: [...listing.unreadable] }
    },
  }
})

export const runRoute = defineRoute(run, async ({ runs }, { parts }) => {
  const { manifest } = await runs.find(parts.run!)
  return { tag: manifest.sha256 ?? hashValue(manifest), value: () => redacted(manifest) }
})

export const verifyRoute = defineRoute(verify, async ({ runs }, { parts, signal }) => {
  const { directory, manifest } = await runs.find(parts.run!)
  if (manifest.status !== 'finished')
    throw new UserError(`The run ${manifest.id} is ${manifest.status}; the files of a finished run can be checked.`)
  return {
    tag: null,
    async value() {
      const problems: { what: string; problem: string }[] = []
      let bytes = 0
      for (const [name, hash] of Object.entries(manifest.files)) {
        if (signal.aborted) break
        const path = join(directory, name)
        bytes += (await lstat(path).catch(() => ({ size: 0 }))).size
        const problem = await problemOf(path, hash)
        if (problem) problems.push({ what: name, problem })
      }
      return { files: Object.keys(manifest.files).length, bytes, problems }
    },
  }
})

export const diffRoute = defineRoute(diff, async ({ runs }, { parts, query }) => {
  const [a, b] = await Promise.all([parts.run!, query.with].map(async id => (await runs.find(id)).manifest))
  return {
    tag: hashValue([a, b].map(run => run!.sha256 ?? hashValue(run))),
    value() {
      const [left, right] = [redacted(a!), redacted(b!)]
      const differences = diffRuns(left, right).map(({ key, a, b }) => ({ key, a: a ?? null, b: b ?? null }))
      return { a: left.id, b: right.id, differences, same: keysOf(left, right) - differences.length }
    },
  }
})

/** Keys that either has, each once: what differs from an empty manifest. */
function keysOf(a: RunManifest, b: RunManifest): number {
  const empty = {
    ...a,
    stage: '',
    seed: Number.NaN,
    engine: {},
    versions: {},
    config: {},
    inputs: [],
    summary: {},
    files: {},
  }
  const keys = (run: RunManifest) => diffRuns(run, empty).map(({ key }) => key)
  return new Set([...keys(a), ...keys(b)]).size
}
