/** One feature: record and evidence, examples, logit effects, neighbours and stability. */
import { NotThereError } from '../../../core/errors.ts'
import { hashValue } from '../../../core/hash.ts'
import type { FinishedRun } from '../../../runs/run.ts'
import { examples, feature, logits, neighbours, roc, stability } from '../../api/contracts/feature.ts'
import { pageOf } from '../../read/cursor.ts'
import { labelOf, shownLabelOf } from '../../read/label.ts'
import { evidenceOfLatent, examplesOf, featuresFile, labelled, latentsOf, rowOfLatent } from '../../read/labelled.ts'
import { rocOfLatent, selectivityFile, selectivitySchema } from '../../read/roc.ts'
import type { Table } from '../../read/table.ts'
import { mustCompute } from '../compute.ts'
import { defineRoute, type Sources } from '../route.ts'

/** Examples of a group that come with the feature itself. */
const firstExamples = 10

async function find({ runs }: Sources, parts: Readonly<Record<string, string>>) {
  const { run, table } = await labelled(runs, parts.run!)
  const row = rowOfLatent(table, run, parts.latent!)
  const [record] = (await table.records([row])) as [Record<string, unknown>]
  return { run, table, row, record, latent: Number(parts.latent), sha256: run.manifest.files[featuresFile] ?? null }
}

export const featureRoute = defineRoute(feature, async (sources, { parts }) => {
  const { run, table, row, record, latent, sha256 } = await find(sources, parts)
  const tested = await evidenceOfLatent(sources.runs, run, latent)
  const { id } = run.manifest
  return {
    tag: hashValue([run.manifest.sha256, tested?.run.manifest.sha256]),
    async value() {
      const all = await examplesOf(sources.runs, run, latent)
      const groups = groupsOf(all)
      const latents = latentsOf(table)
      return {
        feature: record,
        label: labelOf(record, id, sha256),
        histogram: histogramOf(record),
        examples: groups.flatMap(({ group }) => all.filter(one => one.group === group).slice(0, firstExamples)),
        groups,
        evidence: tested?.evidence ?? null,
        evidenceRun: tested?.run.manifest.id ?? null,
        command: tested ? null : testCommand(run, latent),
        previous: row > 0 ? latents[row - 1]! : null,
        following: row + 1 < table.rows ? latents[row + 1]! : null,
        source: { run: id, file: featuresFile, sha256, where: `latent=${latent}` },
      }
    },
  }
})

/** What would put the latent to the test. */
function testCommand({ manifest: { inputs } }: FinishedRun, latent: number): string {
  const sae = inputs.find(({ role }) => role === 'sae')
  return `pipeline validate --sae ${sae?.run ?? sae?.path ?? 'SAE'} --latents '[${latent}]'`
}

/** Stored edges where the table has them, else equal parts from 0 to the largest activation. */
function histogramOf(record: Readonly<Record<string, unknown>>): { edges: number[]; counts: number[] } {
  const counts = (record.histogram as number[] | null) ?? []
  const most = record.max_activation as number
  const edges = record.histogram_edges as number[] | undefined
  return { counts, edges: edges ?? Array.from({ length: counts.length + 1 }, (_, i) => (i / counts.length) * most) }
}

function groupsOf(all: readonly { readonly group: string }[]): { group: string; count: number }[] {
  const counts = new Map<string, number>()
  for (const { group } of all) counts.set(group, (counts.get(group) ?? 0) + 1)
  return [...counts].map(([group, count]) => ({ group, count }))
}

export const examplesRoute = defineRoute(examples, async (sources, { parts, query }) => {
  const { run, latent } = await find(sources, parts)
  const { group, ...asked } = query
  const all = await examplesOf(sources.runs, run, latent)
  const groups = groupsOf(all)
  if (group !== undefined && !groups.some(one => one.group === group))
    throw new NotThereError(`Latent ${latent} has no examples of the group ${JSON.stringify(group)}.`, {
      fix: groups.length > 0 ? `It has ${groups.map(one => one.group).join(', ')}.` : 'It has no examples at all.',
    })
  const chosen = all.filter(one => group === undefined || one.group === group)
  const page = pageOf(chosen, asked, hashValue([run.manifest.sha256, latent, group]))
  return {
    tag: run.manifest.sha256,
    value: () => ({ examples: page.entries.map(one => ({ ...one })), groups, total: page.total, next: page.next }),
  }
})

const tokensOf = (record: Readonly<Record<string, unknown>>, name: string) => {
  const effects = record[`${name}_effects`] as number[]
  return (record[`${name}_tokens`] as string[]).map((token, i) => ({ token, effect: effects[i]! }))
}

export const logitsRoute = defineRoute(logits, async (sources, { parts }) => {
  const { run, record, latent } = await find(sources, parts)
  const tested = await evidenceOfLatent(sources.runs, run, latent)
  const claim = tested?.evidence.claim
  const effect = claim && tested.evidence[claim.primary]?.metrics.target.effect
  return {
    tag: hashValue([run.manifest.sha256, tested?.run.manifest.sha256]),
    value: () => ({
      promoted: tokensOf(record, 'promoted'),
      suppressed: tokensOf(record, 'suppressed'),
      target:
        claim && effect
          ? {
              intervention: claim.primary,
              tokens: claim.target.tokens,
              ...{ effect: effect.mean, low: effect.low, high: effect.high, documents: effect.documents },
            }
          : null,
    }),
  }
})

export const neighboursRoute = defineRoute(neighbours, async (sources, { parts, query, signal }) => {
  const { run, table, latent, record } = await find(sources, parts)
  const sae = run.manifest.inputs.find(({ role }) => role === 'sae')?.run ?? null
  const stored = record.nearest as number[] | undefined
  const cosines = record.nearest_cosine as number[] | undefined
  const described = (near: readonly { latent: number; cosine: number }[]) => ({
    sae,
    from: stored ? ('table' as const) : ('weights' as const),
    neighbours: near
      .slice(0, query.count)
      .map(({ latent, cosine }) => ({ latent, cosine, ...facts(table, run.manifest.id, latent) })),
  })
  if (stored && cosines && stored.length >= query.count)
    return {
      tag: run.manifest.sha256,
      value: () => described(stored.map((latent, i) => ({ latent, cosine: cosines[i]! }))),
    }
  if (sae === null)
    throw new NotThereError(
      `The SAE of the run ${run.manifest.id} is no run of this store, so that its weights are not read.`,
      {
        fix: 'Import it with pipeline import, and label that run.',
      },
    )
  return {
    tag: run.manifest.sha256,
    value: async () => ({
      ...described(await mustCompute(sources.compute).do('neighbours', { sae, latent, count: query.count }, signal)),
      from: 'weights' as const,
    }),
  }
})

/** What a list of latents says of each. */
function facts(table: Table, run: string, latent: number) {
  const row = latentsOf(table).indexOf(latent)
  if (row < 0) return { label: null, density: null }
  const record = table.row(row, table.scalars)
  return { label: shownLabelOf(record, run), density: record.density as number }
}

/** |cosine| from which the share of all latents is told. */
const scalePoints = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]

export const stabilityRoute = defineRoute(stability, async (sources, { parts }) => {
  const { run, table, record, latent } = await find(sources, parts)
  const tested = await evidenceOfLatent(sources.runs, run, latent)
  const column = table.column('stability')
  const all = column.kind === 'number' ? column.values.filter(value => !Number.isNaN(value)) : []
  return {
    tag: hashValue([run.manifest.sha256, tested?.run.manifest.sha256]),
    value: () => ({
      cosine: (record.stability as number | null) ?? null,
      scale:
        all.length === 0
          ? []
          : scalePoints.map(atLeast => ({ atLeast, share: all.filter(value => value >= atLeast).length / all.length })),
      compared: all.length,
      siblings: (tested?.evidence.studies.siblings?.siblings ?? []).map(sibling => ({ ...sibling })),
      evidenceRun: tested?.run.manifest.id ?? null,
      command:
        all.length > 0
          ? null
          : 'pipeline sae compare THIS OTHER --output stability.parquet, then pipeline label --stability stability.parquet',
    }),
  }
})

/** Thresholds that are given. */
const mostThresholds = 120

export const rocRoute = defineRoute(roc, async (sources, { parts }) => {
  const { run, latent } = await find(sources, parts)
  const tested = await evidenceOfLatent(sources.runs, run, latent)
  const selectivity = tested?.evidence.selectivity
  if (!tested || !selectivity)
    throw new NotThereError(
      tested ? `the claim of latent ${latent} is about no concept.` : `no test of latent ${latent} for a concept.`,
      { fix: testCommand(run, latent) },
    )
  const raw = await sources.runs.table(tested.run, selectivityFile, selectivitySchema, [])
  return {
    tag: hashValue([run.manifest.sha256, tested.run.manifest.sha256]),
    async value() {
      const found = await rocOfLatent(raw, latent, mostThresholds)
      return { ...found, points: [...found.points], concept: selectivity.concept, evidenceRun: tested.run.manifest.id }
    },
  }
})
