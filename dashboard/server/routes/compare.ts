/** Two SAEs beside each other. */
import { hashValue } from '../../../core/hash.ts'
import { diffRuns } from '../../../runs/lineage.ts'
import type { FinishedRun } from '../../../runs/run.ts'
import { compare } from '../../api/contracts/evidence.ts'
import { pageOf } from '../../read/cursor.ts'
import { histogramOf } from '../../read/histogram.ts'
import { shownLabelOf } from '../../read/label.ts'
import { latentsOf } from '../../read/labelled.ts'
import { redacted } from '../../read/redact.ts'
import { byId, runLine } from '../../read/run-lines.ts'
import { type Matched, mustCompute } from '../compute.ts'
import { defineRoute } from '../route.ts'
import { labelsOf } from './play.ts'

type Labels = Awaited<ReturnType<typeof labelsOf>>
type Pair = readonly [a: number | null, b: number | null, cosine: number | null]

export default defineRoute(compare, async ({ runs, compute }, { query, signal }) => {
  const { a: idA, b: idB, threshold, part, ...asked } = query
  const [a, b] = [await runs.finished(idA, 'train', 'import'), await runs.finished(idB, 'train', 'import')]
  const labels = [await labelsOf(runs, a), await labelsOf(runs, b)] as const
  const tag = hashValue([
    a.manifest.sha256,
    b.manifest.sha256,
    ...labels.map(one => one?.run.manifest.sha256),
    threshold,
  ])
  return {
    tag,
    async value() {
      const file = 'sae_weights.safetensors'
      // Matched once, and kept for the pages that follow.
      const found = await runs.kept(
        a,
        file,
        () => mustCompute(compute).do('compare', { a: idA, b: idB, threshold }, signal),
        `compare ${runs.contentHash(b.manifest)} ${threshold}`,
      )
      const others = byId((await runs.list()).runs)
      const page = pageOf(pairsOf(found, part, threshold), asked, hashValue([tag, part]))
      const cosines = Float64Array.from(found.cosine.filter((_, i) => found.match[i]! >= 0))
      const { edges, counts } = histogramOf(cosines, Int32Array.from(cosines.keys()), 40, 'linear')
      return {
        a: side(a, found.latents[0], labels[0], others),
        b: side(b, found.latents[1], labels[1], others),
        differences: diffRuns(redacted(a.manifest), redacted(b.manifest))
          .filter(({ key }) => key.startsWith('config.') || key.startsWith('summary.') || key === 'seed')
          .map(({ key, a, b }) => ({ key, a: a ?? null, b: b ?? null })),
        notices: [...found.notices],
        ...{ mcc: found.mcc, mccBound: found.mccBound, exact: found.exact, threshold, shared: found.shared },
        ...{ null: [...found.null], p: found.p, histogram: { edges, counts } },
        latents: page.entries.map(([latentA, latentB, cosine]) => {
          const [left, right] = [facts(labels[0], latentA), facts(labels[1], latentB)]
          return {
            ...{ a: latentA, b: latentB, cosine },
            ...{ densityA: left.density, densityB: right.density, effectA: left.effect, effectB: right.effect },
            ...{ verdictA: left.verdict, verdictB: right.verdict, labelA: left.label, labelB: right.label },
          }
        }),
        ...{ total: page.total, next: page.next },
      }
    },
  }
})

function side({ manifest }: FinishedRun, latents: number, labels: Labels, others: ReturnType<typeof byId>) {
  const { id, architecture, site, summary } = runLine(manifest, others)
  return { run: id, architecture, site, latents, summary, labels: labels?.run.manifest.id ?? null }
}

/** The pairs of a part, the most alike first. */
function pairsOf(
  { match, cosine, nearest, latents }: Matched,
  part: 'matched' | 'only-a' | 'only-b' | 'split',
  threshold: number,
): Pair[] {
  const matched = match.flatMap((b, a): Pair[] => (b < 0 ? [] : [[a, b, cosine[a]!]]))
  if (part === 'matched') return matched.sort((x, y) => y[2]! - x[2]! || x[0]! - y[0]!)
  if (part === 'only-a') return match.flatMap((b, a): Pair[] => (b < 0 ? [[a, null, null]] : []))
  if (part === 'only-b') {
    const taken = new Set(match)
    return Array.from({ length: latents[1] }, (_, b) => b).flatMap((b): Pair[] =>
      taken.has(b) ? [] : [[null, b, null]],
    )
  }
  const children = new Map<number, Pair[]>()
  nearest.latent.forEach((a, b) => {
    if (nearest.cosine[b]! >= threshold) children.set(a, [...(children.get(a) ?? []), [a, b, nearest.cosine[b]!]])
  })
  return [...children]
    .filter(([, list]) => list.length > 1)
    .sort(([a], [b]) => a - b)
    .flatMap(([, list]) => list)
}

const nothing = { density: null, effect: null, verdict: null, label: null }

function facts(labels: Labels, latent: number | null) {
  const row = labels && latent !== null ? latentsOf(labels.table).indexOf(latent) : -1
  if (!labels || row < 0) return nothing
  const record = labels.table.row(row, labels.table.scalars)
  return {
    density: record.density as number,
    effect: record.effect as number | null,
    verdict: record.verdict as string,
    label: shownLabelOf(record, labels.run.manifest.id),
  }
}
