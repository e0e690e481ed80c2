/** The playground: what a label run knows of the SAE goes with the question, and labels with the answer. */
import { UserError } from '../../../core/errors.ts'
import { hashValue } from '../../../core/hash.ts'
import type { FinishedRun } from '../../../runs/run.ts'
import { continued, fires, play } from '../../api/contracts/play.ts'
import { shownLabelOf } from '../../read/label.ts'
import { featuresFile, labelled, latentsOf } from '../../read/labelled.ts'
import type { Runs } from '../../read/runs.ts'
import type { Table } from '../../read/table.ts'
import { type Known, mustCompute } from '../compute.ts'
import { defineRoute } from '../route.ts'

/** The newest finished label run of an SAE as it is now that can be read, and its features; undefined where it was never labelled. */
export async function labelsOf(runs: Runs, sae: FinishedRun): Promise<{ run: FinishedRun; table: Table } | undefined> {
  const hash = runs.contentHash(sae.manifest)
  const { runs: all } = await runs.list()
  const own = all.filter(
    ({ manifest: { stage, status, inputs } }) =>
      stage === 'label' &&
      status === 'finished' &&
      inputs.some(({ role, run, sha256 }) => role === 'sae' && run === sae.manifest.id && sha256 === hash),
  )
  let newest: unknown
  for (const { manifest } of own.reverse())
    try {
      return await labelled(runs, manifest.id)
    } catch (error) {
      // A run that is damaged keeps nobody from an older one that is whole.
      if (!(error instanceof UserError)) throw error
      newest ??= error
    }
  if (newest !== undefined) throw newest
  return undefined
}

/** What the playground must know of each latent; null without labels. */
async function known(runs: Runs, labels: Awaited<ReturnType<typeof labelsOf>>): Promise<Known | null> {
  if (!labels) return null
  const { run, table } = labels
  const byLatent = (name: string) => {
    const column = table.column(name)
    const latents = latentsOf(table)
    const values: number[] = []
    if (column.kind === 'number') for (const [row, value] of column.values.entries()) values[latents[row]!] = value
    return values
  }
  return runs.kept(
    run,
    featuresFile,
    async () => ({ run: run.manifest.id, maxActivation: byLatent('max_activation'), density: byLatent('density') }),
    'known',
  )
}

async function prepared(runs: Runs, sae: string) {
  const found = await runs.finished(sae, 'train', 'import')
  const labels = await labelsOf(runs, found)
  return { labels, known: await known(runs, labels), content: runs.contentHash(found.manifest) }
}

export const firesRoute = defineRoute(fires, async ({ runs, compute }, { body, signal }) => {
  const { labels, known } = await prepared(runs, body.sae)
  return {
    tag: null,
    async value() {
      const found = await mustCompute(compute).do('fires', { ...body, known }, signal)
      if (!labels) return found
      const rows = new Map(Array.from(latentsOf(labels.table), (latent, row) => [latent, row]))
      return {
        ...found,
        features: found.features.map(feature => {
          const row = rows.get(feature.latent)
          const record = row === undefined ? undefined : labels.table.row(row, labels.table.scalars)
          return { ...feature, label: record ? shownLabelOf(record, labels.run.manifest.id) : null }
        }),
      }
    },
  }
})

export const playRoute = defineRoute(play, async ({ runs, compute }, { body, signal }) => {
  const { known, content } = await prepared(runs, body.sae)
  return {
    tag: hashValue([content, body]),
    value: () => mustCompute(compute).do('play', { ...body, known }, signal),
  }
})

export const continuedRoute = defineRoute(continued, async ({ runs, compute }, { body, signal }) => {
  const { known } = await prepared(runs, body.sae)
  return { tag: null, value: () => mustCompute(compute).do('continued', { ...body, known }, signal) }
})
